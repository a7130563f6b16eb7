# frozen_string_literal: true

require 'json'
require 'puppet'
require 'socket'
require 'timeout'

# As much of Belay as the report processor sees: it notes what comes and answers what it is told to.
class FakeBelay
  Came = Struct.new(:path, :headers, :body)

  attr_reader :port, :answers

  def initialize(port: 0, tls: nil)
    @listener = TCPServer.new('127.0.0.1', port)
    @port = @listener.addr[1]
    @listener = tls_listener(tls) if tls
    @came = Queue.new
    # Statuses to answer, in order; 202 when there are none left.
    @answers = []
    @thread = Thread.new { serve }
  end

  # The next request, waited for; a test that waits for ever fails after this long.
  def came
    Timeout.timeout(60) { @came.pop }
  end

  def all
    Array.new(@came.size) { @came.pop }
  end

  def stop
    @thread.kill
    @listener.close
  end

  private

  def tls_listener(context)
    OpenSSL::SSL::SSLServer.new(@listener, context)
  end

  def serve
    loop do
      socket = @listener.accept
      answer(socket)
    rescue OpenSSL::SSL::SSLError, SystemCallError, IOError
      next
    end
  end

  def answer(socket)
    path = socket.gets.to_s.split[1]
    headers = {}
    while (line = socket.gets.to_s.chomp) != ''
      name, value = line.split(': ', 2)
      headers[name.downcase] = value
    end
    body = socket.read(headers['content-length'].to_i)
    headers['peer'] = socket.peer_cert&.subject.to_s if socket.respond_to?(:peer_cert)
    @came << Came.new(path, headers, body)
    status, more = @answers.shift || 202
    socket.write("HTTP/1.1 #{status} X\r\nContent-Length: 4\r\nConnection: close\r\n#{more}\r\nsaid")
  ensure
    socket&.close
  end
end

# Reports as Puppet makes them.
module Reports
  module_function

  def one(uuid = 'aaaa-1', host: 'web01.example.com', log: 'all is well')
    report = Puppet::Transaction::Report.new('141', 'r141', uuid)
    report.host = host
    report << Puppet::Util::Log.new(level: :notice, message: log)
    report.finalize_report
    report
  end
end
