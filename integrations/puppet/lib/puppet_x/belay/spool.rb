# frozen_string_literal: true

require 'fileutils'
require 'securerandom'

module PuppetX
  module Belay
    # Reports on their way, a file each. Several processes, and several Rubies within one, share the
    # folder: who renames a file to its own name has it, and nobody else sends it.
    #
    #   1764378000123-4f0c....json          waits; the names are in the order in which they came
    #   1764378000123-4f0c....json.PID-XX   somebody sends it
    #   aside/                              the server will never take it
    class Spool
      # A claim this old is nobody's any more: a request ends long before.
      CLAIM_S = 900
      # So long the folder's own count is believed, in seconds.
      COUNT_S = 1.0

      SPOOLS = {}
      SPOOLS_LOCK = Mutex.new
      private_constant :SPOOLS, :SPOOLS_LOCK

      # The spool that the settings name: the same object as long as they say the same of it.
      def self.of(settings)
        key = [settings.spool, settings.spool_files_max, settings.spool_bytes_max, settings.aside_files_max, Process.pid]
        SPOOLS_LOCK.synchronize do
          SPOOLS.clear unless SPOOLS.key?(key)
          SPOOLS[key] ||= new(settings.spool, files_max: key[1], bytes_max: key[2], aside_max: key[3])
        end
      end

      def initialize(folder, files_max:, bytes_max:, aside_max:)
        @folder = folder
        @files_max = files_max
        @bytes_max = bytes_max
        @aside_max = aside_max
        @mine = "#{Process.pid}-#{SecureRandom.hex(4)}"
        @lock = Mutex.new
        folders
      end

      # Keeps a report; whole or not at all. The answer is how many older ones went for it.
      def put(name, body)
        # Somebody may have cleaned up.
        folders unless Dir.exist?(aside)
        file = format('%<ms>013d-%<name>s.json', ms: now_ms, name: name.gsub(/[^0-9A-Za-z_-]/, '')[0, 64])
        # The dot keeps it out of every list until it is whole.
        hidden = File.join(@folder, ".#{file}.#{@mine}-#{SecureRandom.hex(4)}")
        File.open(hidden, File::WRONLY | File::CREAT | File::EXCL | File::BINARY, 0o600) { |out| out.write(body) }
        File.rename(hidden, File.join(@folder, file))
        @lock.synchronize { room_after(body.bytesize) }
      rescue SystemCallError
        FileUtils.rm_f(hidden) if hidden
        raise
      end

      # Takes the oldest one that waits: its name, and its content. None where none waits.
      def claim
        waiting.each do |file|
          mine = File.join(@folder, "#{file}.#{@mine}")
          begin
            File.rename(File.join(@folder, file), mine)
            File.utime(Time.now, Time.now, mine)
            return [file, File.binread(mine)]
          rescue Errno::ENOENT
            next
          end
        end
        nil
      end

      # It was delivered.
      def done(file)
        FileUtils.rm_f(claimed(file))
      end

      # It was not, and waits again: in its place, or behind all others.
      def back(file, behind: false)
        name = behind ? file.sub(/\A\d+/, format('%013d', behind_all)) : file
        File.rename(claimed(file), File.join(@folder, name))
        name
      end

      # It will never be taken: kept for people, the last few of them.
      def set_aside(file)
        File.rename(claimed(file), File.join(aside, file))
        kept = Dir.children(aside).sort
        kept.first([kept.size - @aside_max, 0].max).each { |old| FileUtils.rm_f(File.join(aside, old)) }
      end

      # What was claimed by somebody who is gone, or never became whole.
      def recover
        Dir.each_child(@folder) do |name|
          path = File.join(@folder, name)
          next unless name.start_with?('.') || name.match?(/\.json\.\d+-\h+\z/)
          next if age(path) < CLAIM_S

          name.start_with?('.') ? FileUtils.rm_f(path) : give_back(path)
        end
      end

      def waiting
        Dir.children(@folder).select { |name| name.match?(/\A\d{13}-.*\.json\z/) }.sort
      end

      # Whether nothing waits and nothing is on its way from here.
      def nothing?
        waiting.empty? && Dir.children(@folder).none? { |name| name.end_with?(@mine) }
      end

      def aside
        File.join(@folder, 'aside')
      end

      private

      def folders
        FileUtils.mkdir_p(@folder, mode: 0o700)
        FileUtils.mkdir_p(aside, mode: 0o700)
      end

      def claimed(file)
        File.join(@folder, "#{file}.#{@mine}")
      end

      def give_back(path)
        File.rename(path, path.sub(/\.\d+-\h+\z/, ''))
      rescue Errno::ENOENT
        nil
      end

      def age(path)
        Time.now - File.mtime(path)
      rescue Errno::ENOENT
        0
      end

      # Later than whatever waits: others may have come in this millisecond, or by a clock that was ahead.
      def behind_all
        [now_ms, waiting.last.to_i + 1].max
      end

      def now_ms
        Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)
      end

      # Counting a long folder for every report would slow runs: our own are added to the last count.
      def room_after(bytes)
        @files = @files.to_i + 1
        @bytes = @bytes.to_i + bytes
        clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        full = @files > @files_max || @bytes > @bytes_max
        return 0 unless full || @counted.nil? || clock - @counted > COUNT_S

        @counted = clock
        drop_oldest
      end

      def drop_oldest
        sizes = waiting.map { |file| [file, File.size?(File.join(@folder, file)).to_i] }
        @files = sizes.size
        @bytes = sizes.sum(&:last)
        dropped = 0
        # The newest one stays whatever it takes: it is the only word on its run.
        sizes[0...-1].each do |file, size|
          break if @files <= @files_max && @bytes <= @bytes_max

          FileUtils.rm_f(File.join(@folder, file))
          @files -= 1
          @bytes -= size
          dropped += 1
        end
        dropped
      end
    end
  end
end
