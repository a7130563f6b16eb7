# frozen_string_literal: true

require 'json'

# Writes a Hash as TOML: what `agent.toml` is.
#
# @example
#   belay::toml({ 'host' => 'web01', 'release' => { 'file' => '/srv/app/RELEASE' } })
Puppet::Functions.create_function(:'belay::toml') do
  # @param values The keys of the file, and what they are set to.
  # @return [String] The file.
  dispatch :toml do
    param 'Hash[String[1], Data]', :values
    return_type 'String'
  end

  def toml(values)
    "# Managed by Puppet.\n#{table(values, [])}"
  end

  # What belongs to a table comes first: whatever follows a table's head is that table's.
  def table(values, path)
    values = values.reject { |_, value| value.nil? }
    plain, deep = values.partition { |_, value| !table?(value) && !tables?(value) }
    text = plain.map { |key, value| "#{key(key)} = #{value(value)}\n" }.join
    deep.each_with_object(+text) do |(key, value), all|
      name = path + [key(key)]
      if table?(value)
        all << "\n[#{name.join('.')}]\n" << table(value, name)
      else
        value.each { |one| all << "\n[[#{name.join('.')}]]\n" << table(one, name) }
      end
    end
  end

  def table?(value)
    value.is_a?(Hash)
  end

  def tables?(value)
    value.is_a?(Array) && !value.empty? && value.all?(Hash)
  end

  def key(key)
    key.match?(/\A[A-Za-z0-9_-]+\z/) ? key : value(key)
  end

  def value(value)
    case value
    when String then value.to_json.gsub("\u007f", '\u007f')
    when Array then "[#{value.map { |inner| value(inner) }.join(', ')}]"
    when Hash then "{ #{value.map { |key, inner| "#{key(key)} = #{value(inner)}" }.join(', ')} }"
    else value.to_s
    end
  end
end
