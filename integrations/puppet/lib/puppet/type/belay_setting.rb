# frozen_string_literal: true

Puppet::Type.newtype(:belay_setting) do
  @doc = <<-DOC
    One setting in a file like puppet.conf, altered beside what a site has put there.

    - `how => set`: the value itself. Another value that is there already is an error, unless it is
      what `instead_of` names: nobody's setting is overwritten unseen.
    - `how => member`: one of a list with commas; the others stay.
    - `how => before`: a command that is run first, and runs the one that was there after it
      (`VALUE --then COMMAND`).

    It is altered where it stands: in the first of `sections` that has it, else in the first of them.
    `ensure => absent` takes out what this resource would put in, and nothing else.
  DOC

  ensurable do
    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc 'What the setting is called, or `FILE:SETTING`.'
  end

  newparam(:file) do
    desc 'The file.'
    validate { |value| raise ArgumentError, "file: #{value}: a path that begins with /" unless value.start_with?('/') }
  end

  newparam(:setting) do
    desc 'The setting, if the title is not only its name.'
  end

  newparam(:sections, array_matching: :all) do
    desc 'Where it may stand, the one that counts most first.'
    defaultto { ['main'] }
    munge { |value| Array(value) }
  end

  newparam(:value) do
    desc 'What is put in.'
    validate { |value| raise ArgumentError, 'value: one line' if value.to_s.empty? || value.to_s.include?("\n") }
  end

  newparam(:how) do
    desc 'How it is put beside what is there.'
    newvalues(:set, :member, :before)
    defaultto :set
  end

  newparam(:instead_of) do
    desc 'With `how => set`: the values that may be replaced.'
    munge { |value| Array(value) }
    defaultto { [] }
  end

  validate do
    raise ArgumentError, 'belay_setting needs file and value' unless self[:file] && self[:value]
  end

  autorequire(:file) { [self[:file], File.dirname(self[:file])] }

  def setting
    self[:setting] || self[:name]
  end
end
