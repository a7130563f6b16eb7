# frozen_string_literal: true

require_relative 'post'
require_relative 'settings'
require_relative 'spool'

module PuppetX
  module Belay
    # Sends what waits, one report after the other, on a thread of its own.
    class Sender
      # So often the folder is looked at though nobody rang: others may have put something there.
      LOOK_S = 5
      # So often claims of those who are gone are given back.
      RECOVER_S = 60
      # A trouble that lasts is told again after this time.
      TELL_S = 3600

      # `settings` is called for every round: what was altered counts at once. `log` takes a level
      # and a text.
      def initialize(settings, log)
        @settings = settings
        @log = log
        @lock = Mutex.new
        @bell = ConditionVariable.new
        @rung = false
        @failures = 0
      end

      # Rings. The thread is started where there is none: also after a fork, which takes it away.
      def ring
        @lock.synchronize do
          @stopped = false
          @rung = true
          @bell.signal
          @thread = Thread.new { work } unless @pid == Process.pid && @thread&.alive?
          @pid = Process.pid
        end
      end

      # Ends the thread, soon: what waits is sent by another process or another Ruby.
      def stop
        @lock.synchronize do
          @stopped = true
          @bell.signal
        end
      end

      # Waits until nothing waits, no longer than this, and not for a server that does not answer.
      def drain(limit)
        deadline = clock + limit
        sleep(0.01) until idle? || clock > deadline
      end

      # One report, if one waits; the answer is how long to wait for the next one.
      def step
        settings = @settings.call
        spool = spool_of(settings)
        recover(spool)
        file, body = spool.claim
        return LOOK_S unless file

        answer = Post.send_report(settings, body)
        kept = true
        settle(spool, file, answer, settings)
      rescue StandardError => e
        spool.back(file) if file && !kept
        trouble(e.is_a?(BadSettings) ? e.message : "#{e.class}: #{e.message}")
        LOOK_S
      end

      private

      def work
        until @stopped
          seconds = step
          # More may wait: only who failed, or found nothing, rests.
          rest(seconds) if seconds.positive?
        end
      end

      def settle(spool, file, answer, settings)
        case answer.fate
        when :done
          spool.done(file)
          over
          0
        when :aside
          spool.set_aside(file)
          @log.call(:err, "Belay will not take a report (#{answer.why}): it lies in #{spool.aside} as #{file}")
          0
        else
          spool.back(file, behind: answer.fate == :behind)
          trouble(answer.why)
          pause(answer, settings)
        end
      end

      def pause(answer, settings)
        @failures += 1
        grown = [settings.retry_min * (2**[@failures - 1, 20].min), settings.retry_max].min
        # Not all servers of Puppet at the same moment.
        [grown * (0.5 + rand / 2), [answer.retry_after.to_i, settings.retry_max].min].max
      end

      def trouble(why)
        again = @told && clock - @told < TELL_S
        @log.call(:warning, "reports wait for Belay: #{why}") unless again
        @told = clock unless again
      end

      def over
        @failures = 0
        @log.call(:notice, 'Belay takes reports again') if @told
        @told = nil
      end

      def idle?
        @failures.positive? || @told || spool_of(@settings.call).nothing?
      rescue BadSettings
        true
      end

      # A bell that rings while the server is away does not shorten the wait.
      def rest(seconds)
        deadline = clock + seconds
        @lock.synchronize do
          while (left = deadline - clock).positive?
            break if @stopped || (@rung && @failures.zero?)

            @bell.wait(@lock, left)
          end
          @rung = false
        end
      end

      def recover(spool)
        return if @recovered && clock - @recovered < RECOVER_S

        @recovered = clock
        spool.recover
      end

      def spool_of(settings)
        Spool.of(settings)
      end

      def clock
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
