# frozen_string_literal: true

require 'shellwords'

module PuppetX
  module Belay
    # What a setting becomes when something of ours is put in or taken out: texts in, texts out.
    # None (`nil`) is a setting that does not stand there.
    module Words
      # Anything of these is for a shell, and not a program with its arguments.
      SHELL = /[^\w\s@%+=:,.\/-]/.freeze
      SHELL_BEFORE = '/bin/sh -c '
      THEN = ' --then '

      module_function

      # Whether `value` is there already.
      def there?(how, found, value)
        case how
        when :member then members(found).include?(value)
        when :before then found == value || found.to_s.start_with?(value + THEN)
        else found == value
        end
      end

      # With it.
      def with(how, found, value, otherwise: nil)
        case how
        when :member
          (members(found || otherwise) - ['none', value] + [value]).join(', ')
        when :before
          found.to_s.strip.empty? ? value : value + THEN + command(found.strip)
        else value
        end
      end

      # Without it.
      def without(how, found, value)
        case how
        when :member
          rest = members(found) - [value]
          rest.empty? ? nil : rest.join(', ')
        when :before
          found == value ? nil : plain(found.delete_prefix(value + THEN))
        end
      end

      def members(text)
        text.to_s.split(',').map(&:strip).reject(&:empty?)
      end

      # A hook that needs a shell gets one of its own: the gate starts programs.
      def command(hook)
        hook.match?(SHELL) ? SHELL_BEFORE + Shellwords.escape(hook) : hook
      end

      def plain(command)
        return command unless command.start_with?(SHELL_BEFORE)

        words = Shellwords.split(command)
        words.size == 3 && words[0, 2] == SHELL_BEFORE.split ? words[2] : command
      end
    end
  end
end
