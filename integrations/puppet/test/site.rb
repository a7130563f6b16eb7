# frozen_string_literal: true

require 'fileutils'
require 'open3'
require 'tmpdir'

# A host of its own in a temporary folder, and the real Puppet on it.
class Site
  MODULE = File.expand_path('..', __dir__)
  # Its Puppet prints these where the machine is a container.
  NOISE = /Facter:/.freeze

  Ran = Struct.new(:code, :said)

  attr_reader :root

  def initialize
    @root = Dir.mktmpdir('belay-site-')
    %w[etc/puppet etc/cron.d etc/units usr/bin usr/local/bin var modules].each { |folder| FileUtils.mkdir_p(at(folder)) }
    FileUtils.ln_s(MODULE, at('modules/belay'))
    write('etc/puppet/puppet.conf', "[main]\ncertname = web01.example.com\n")
    # Speaks for the program: it takes what does not say `bad`, and lets every run go.
    program('source-of-agent', <<~'SH')
      case "$3" in
        gate) [ "$4" = --then ] && shift 4 && exec "$@"; exit 0 ;;
      esac
      ! grep -q bad "$2"
    SH
  end

  def at(path)
    File.join(@root, path)
  end

  def read(path)
    File.read(at(path))
  end

  def write(path, text)
    FileUtils.mkdir_p(File.dirname(at(path)))
    File.write(at(path), text)
  end

  def program(path, line)
    write(path, "#!/bin/sh\n#{line}\n")
    File.chmod(0o755, at(path))
  end

  def mode(path)
    format('%04o', File.stat(at(path)).mode & 0o7777)
  end

  # The setting as Puppet itself reads it.
  def setting(name, section)
    puppet('config', 'print', name, '--section', section).said.strip
  end

  def apply(manifest, *words)
    puppet('apply', '--detailed-exitcodes', '--color=false', *words, '-e', manifest)
  end

  def puppet(*words)
    out, status = Open3.capture2e('puppet', *words, '--confdir', at('etc/puppet'), '--vardir', at('var'), '--modulepath',
                                  at('modules'), '--publicdir', at('var/public'), stdin_data: '')
    Ran.new(status.exitstatus, out.lines.grep_v(NOISE).join)
  end

  def gone
    FileUtils.rm_rf(@root)
  end
end
