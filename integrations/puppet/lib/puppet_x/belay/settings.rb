# frozen_string_literal: true

require 'uri'
require 'yaml'

module PuppetX
  module Belay
    # A mistake in the settings, with its place and its remedy.
    class BadSettings < StandardError; end

    # What stands in `belay.yaml`, with what Puppet itself knows for the rest.
    class Settings
      # What may stand there, and what holds where it does not.
      NUMBERS = {
        'spool_files_max' => [20_000, 1..1_000_000],
        'spool_bytes_max' => [256 * 1024 * 1024, 1024..(1 << 40)],
        'report_bytes_max' => [16 * 1024 * 1024, 1024..(1 << 30)],
        'aside_files_max' => [200, 0..100_000],
        'connect_timeout' => [2, 0.1..60],
        'timeout' => [10, 0.1..300],
        'retry_min' => [1, 0.01..3600],
        'retry_max' => [120, 0.01..86_400],
        'exit_wait' => [2, 0..60]
      }.freeze
      TEXTS = %w[url token_file spool ca_file certificate_file key_file].freeze
      SWITCHES = { 'client_certificate' => true, 'system_store' => false }.freeze
      # The largest file that is read, in bytes.
      BYTES_MAX = 64 * 1024
      PATH = '/api/v1/runs/puppet'

      attr_reader(*TEXTS.map(&:to_sym), *NUMBERS.keys.map(&:to_sym), :uri)

      # `puppet` has Puppet's own settings by name: files of certificates, and where state is kept.
      def self.load(path, puppet)
        raise BadSettings, "#{path}: larger than #{BYTES_MAX} bytes" if File.size(path) > BYTES_MAX

        form = YAML.safe_load(File.read(path, encoding: 'UTF-8')) || {}
        raise BadSettings, "#{path}: expected lines like `url: https://belay.example.com:7878`" unless form.is_a?(Hash)

        new(path, form, puppet)
      rescue SystemCallError => e
        raise BadSettings, "#{path} cannot be read (#{e.message}): write it, with at least `url`"
      rescue Psych::SyntaxError => e
        raise BadSettings, "#{path}: no YAML: #{e.message}"
      end

      def initialize(path, form, puppet)
        @path = path
        known = TEXTS + NUMBERS.keys + SWITCHES.keys
        form.each_key { |key| mistake(key, "not known; known are #{known.join(', ')}") unless known.include?(key) }
        NUMBERS.each { |key, (otherwise, bounds)| instance_variable_set("@#{key}", number(key, form.fetch(key, otherwise), bounds)) }
        SWITCHES.each { |key, otherwise| instance_variable_set("@#{key}", switch(key, form.fetch(key, otherwise))) }
        TEXTS.each { |key| instance_variable_set("@#{key}", text(key, form[key])) }
        @uri = address(@url)
        places(puppet)
      end

      def client_certificate?
        @client_certificate && File.readable?(@certificate_file.to_s) && File.readable?(@key_file.to_s)
      end

      def system_store?
        @system_store
      end

      # Read anew for every request: a secret that was replaced counts at once.
      def token
        return nil unless @token_file

        secret = File.read(@token_file, 4096).to_s.strip
        mistake('token_file', "#{@token_file} is no secret on one line") unless secret.match?(/\A[[:graph:]]+\z/)
        secret
      rescue SystemCallError => e
        mistake('token_file', "cannot be read: #{e.message}")
      end

      private

      def places(puppet)
        @spool ||= File.join(puppet.fetch('vardir'), 'belay', 'spool')
        @ca_file ||= puppet['localcacert']
        @certificate_file ||= puppet['hostcert']
        @key_file ||= puppet['hostprivkey']
      end

      def mistake(key, what)
        raise BadSettings, "#{@path}: #{key}: #{what}"
      end

      def number(key, value, bounds)
        sound = value.is_a?(Numeric) && bounds.cover?(value)
        sound ? value : mistake(key, "#{value.inspect}: a number from #{bounds.begin} to #{bounds.end}")
      end

      def switch(key, value)
        [true, false].include?(value) ? value : mistake(key, "#{value.inspect}: true or false")
      end

      def text(key, value)
        return nil if value.nil?

        mistake(key, "#{value.inspect}: a text") unless value.is_a?(String) && !value.empty?
        mistake(key, "#{value}: a path that begins with /") unless key == 'url' || value.start_with?('/')
        value
      end

      def address(url)
        mistake('url', 'is missing: for example https://belay.example.com:7878') if url.nil?
        uri = URI.parse(url)
        sound = uri.is_a?(URI::HTTP) && uri.host && uri.userinfo.nil? && uri.query.nil?
        mistake('url', "#{url}: https://HOST:PORT, the secret goes into token_file") unless sound
        uri.path = PATH if ['', '/'].include?(uri.path)
        uri
      rescue URI::InvalidURIError
        mistake('url', "#{url}: no address")
      end
    end
  end
end
