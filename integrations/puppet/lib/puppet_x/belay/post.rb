# frozen_string_literal: true

require 'net/http'
require 'openssl'
require_relative 'settings'

module PuppetX
  module Belay
    # One request to Belay, and what its answer means for the report.
    module Post
      # What becomes of the report (`:done`, `:again`, `:behind`, `:aside`), why, and when to try
      # again where the server says so.
      Answer = Struct.new(:fate, :why, :retry_after)

      # These will be answered the same for ever: no JSON of Puppet's, too large, a host that the
      # credential does not speak for, a run that Belay knows otherwise by another road.
      NEVER = [400, 403, 409, 413, 415, 422].freeze

      module_function

      def send_report(settings, body)
        request = Net::HTTP::Post.new(settings.uri)
        request['Content-Type'] = 'application/json'
        request['User-Agent'] = 'belay-report-processor'
        token = settings.token
        request['Authorization'] = "Bearer #{token}" if token
        request.body = body
        answer_of(connection(settings).request(request))
      rescue BadSettings
        raise
      rescue StandardError => e
        # Sockets, names, TLS, and answers that are no HTTP: each Ruby raises others of them.
        Answer.new(:again, "#{settings.uri.host}:#{settings.uri.port}: #{e.class}: #{e.message}", nil)
      end

      def connection(settings)
        http = Net::HTTP.new(settings.uri.host, settings.uri.port, nil)
        http.open_timeout = settings.connect_timeout
        http.read_timeout = http.write_timeout = http.ssl_timeout = settings.timeout
        # A report that may have arrived is sent again by the spool, which waits in between.
        http.max_retries = 0
        secure(http, settings) if settings.uri.scheme == 'https'
        http
      end

      def secure(http, settings)
        http.use_ssl = true
        http.verify_mode = OpenSSL::SSL::VERIFY_PEER
        http.min_version = OpenSSL::SSL::TLS1_2_VERSION if http.respond_to?(:min_version=)
        store = OpenSSL::X509::Store.new
        store.add_file(settings.ca_file) if settings.ca_file && File.exist?(settings.ca_file)
        store.set_default_paths if settings.system_store?
        http.cert_store = store
        return unless settings.client_certificate?

        http.cert = OpenSSL::X509::Certificate.new(File.read(settings.certificate_file))
        http.key = OpenSSL::PKey.read(File.read(settings.key_file))
      end

      def answer_of(response)
        code = response.code.to_i
        said = "#{code} #{response.body.to_s.scrub('?')[0, 300].gsub(/[[:cntrl:]]+/, ' ')}".strip
        case code
        when 200..299 then Answer.new(:done, said, nil)
        when *NEVER then Answer.new(:aside, said, nil)
        # It may be this one report that the server stumbles over: the others shall not wait for it.
        when 500 then Answer.new(:behind, said, nil)
        else Answer.new(:again, said, after(response['Retry-After']))
        end
      end

      def after(text)
        text.to_s.match?(/\A\d{1,5}\z/) ? text.to_i : nil
      end
    end
  end
end
