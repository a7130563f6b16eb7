# frozen_string_literal: true

require 'puppet/settings/ini_file'
require_relative '../../../puppet_x/belay/words'

Puppet::Type.type(:belay_setting).provide(:ini) do
  desc "Files as Puppet's own: sections in brackets, and lines `name = value`."

  def exists?
    PuppetX::Belay::Words.there?(how, found, resource[:value])
  end

  def create
    check_unseen
    otherwise = Puppet.settings.setting(resource.setting.to_sym)&.default.to_s if how == :member
    write(PuppetX::Belay::Words.with(how, found, resource[:value], otherwise: otherwise))
  end

  def destroy
    write(PuppetX::Belay::Words.without(how, found, resource[:value]))
  end

  private

  def how
    resource[:how].to_sym
  end

  # What is somebody's is not overwritten unseen.
  def check_unseen
    return if how != :set || found.nil? || resource[:instead_of].include?(found)

    raise Puppet::Error, "#{resource[:file]}: #{resource.setting} is #{found}, which is not Belay's to replace: " \
                         "set it to #{resource[:value]} yourself, or name it in instead_of"
  end

  def found
    setting = setting_in(section)
    setting&.value
  end

  # The section that has it, else the first.
  def section
    resource[:sections].find { |name| setting_in(name) } || resource[:sections].first
  end

  def setting_in(name)
    parsed.setting(name, resource.setting)
  end

  def parsed
    return Puppet::Settings::IniFile.new unless File.exist?(resource[:file])

    File.open(resource[:file], 'r:UTF-8') { |file| Puppet::Settings::IniFile.parse(file) }
  end

  # Beside it and then in its place: nobody reads half a file.
  def write(value)
    where = section
    path = resource[:file]
    text = StringIO.new(File.exist?(path) ? File.read(path, encoding: 'UTF-8') : +'')
    Puppet::Settings::IniFile.update(text) do |ini|
      value.nil? ? ini.delete(where, resource.setting) : ini.set(where, resource.setting, value)
    end
    mode = File.exist?(path) ? nil : 0o644
    Puppet::Util.replace_file(path, mode) { |file| file.write(text.string) }
  end
end
