# frozen_string_literal: true

require 'json'
require 'puppet'
require_relative 'sender'
require_relative 'settings'
require_relative 'spool'

module PuppetX
  module Belay
    # Takes reports from Puppet, on the thread of the request: it writes them down, rings, and is done.
    module Courier
      LOCK = Mutex.new
      # What Puppet knows that the settings fall back to.
      KNOWN = %i[vardir localcacert hostcert hostprivkey].freeze
      # These end the process or the thread, and are not ours to stop.
      LET_THROUGH = [SystemExit, SignalException, NoMemoryError].freeze

      module_function

      # Takes a report. Whatever goes wrong is a line in the log: the run goes on.
      def take(report)
        settings = self.settings
        body = json(report)
        return too_large(report, body, settings) if body.bytesize > settings.report_bytes_max

        dropped(Spool.of(settings).put(name_of(report), body), settings)
        sender.ring
      rescue *LET_THROUGH
        raise
      rescue Exception => e # rubocop:disable Lint/RescueException -- also those of Java and of missing files
        say(:err, "the report of #{host_of(report)} was not kept: #{e.class}: #{e.message}")
      end

      # The report as JSON. Bytes that are no text must not cost the report.
      def json(report)
        hash = report.to_data_hash
        begin
          hash.to_json
        rescue JSON::JSONError, EncodingError
          clean(hash).to_json
        end
      end

      # The settings, read again when the file was altered.
      def settings
        file = File.join(Puppet[:confdir], 'belay.yaml')
        stamp = [file, File.mtime(file), File.size(file)]
        LOCK.synchronize do
          @settings = Settings.load(file, known) if @stamp != stamp
          @stamp = stamp
          @settings
        end
      rescue SystemCallError => e
        raise BadSettings, "#{file} cannot be read (#{e.message}): write it, with at least `url`"
      end

      def sender
        LOCK.synchronize { @sender ||= hired }
      end

      # The sender's thread knows nothing of a request: it gets the path, and Puppet's own values.
      def hired
        file = File.join(Puppet[:confdir], 'belay.yaml')
        puppet = known
        sender = Sender.new(-> { Settings.load(file, puppet) }, method(:say))
        at_exit { leave(sender) }
        sender
      end

      # A process that ends right after its run gives the report a moment. In puppetserver a Ruby ends when settings are read
      # anew, and goes on being held in memory for as long as one of its threads lives.
      def leave(sender)
        sender.drain(settings.exit_wait) unless RUBY_PLATFORM == 'java'
        sender.stop
      rescue StandardError => e
        say(:warning, "reports wait for Belay: #{e.message}")
      end

      def known
        KNOWN.to_h { |name| [name.to_s, Puppet[name].to_s] }
      end

      def name_of(report)
        uuid = report.transaction_uuid.to_s
        uuid.empty? ? SecureRandom.uuid : uuid
      end

      def too_large(report, body, settings)
        say(:err, "the report of #{host_of(report)} has #{body.bytesize} bytes, and report_bytes_max is " \
                  "#{settings.report_bytes_max}: it was not kept (exclude_unchanged_resources makes reports small)")
      end

      def dropped(count, settings)
        return if count.zero?

        @dropped = @dropped.to_i + count
        say(:err, "the spool #{settings.spool} is full: #{count} of the oldest reports were dropped, " \
                  "#{@dropped} since the start")
      end

      def clean(value)
        case value
        when Hash then value.to_h { |key, inner| [clean(key.to_s), clean(inner)] }
        when Array then value.map { |inner| clean(inner) }
        when String then value.encode('UTF-8', invalid: :replace, undef: :replace).scrub('?')
        when Float then value.finite? ? value : nil
        else value
        end
      end

      def host_of(report)
        report.host
      rescue StandardError
        'a host'
      end

      def say(level, text)
        Puppet.send(level, "belay: #{text}")
      rescue StandardError
        nil
      end
    end
  end
end
