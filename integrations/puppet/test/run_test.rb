# frozen_string_literal: true

require 'minitest/autorun'
require_relative 'fake'
require_relative 'site'

# Whole runs of the real Puppet with the report processor: it alters nothing of them, whatever Belay does.
class RunTest < Minitest::Test
  def setup
    @site = Site.new
    @server = FakeBelay.new
    @site.write('etc/puppet/belay.yaml', "url: http://127.0.0.1:#{@server.port}\n")
  end

  def teardown
    @server.stop
    @site.gone
  end

  def run_puppet(code = 2)
    ran = @site.apply("file { '#{@site.at('file')}': content => 'new' }", '--reports', 'belay')
    assert_equal code, ran.code, ran.said
    ran.said
  end

  def waiting
    Dir.glob(@site.at('var/belay/spool/*.json*')).size
  end

  def test_reports_of_runs_while_the_server_is_down_come_with_the_next_one
    port = @server.port
    @server.stop
    assert_match(/Warning: belay: reports wait for Belay: 127.0.0.1:#{port}/, run_puppet)
    assert_equal 1, waiting
    @server = FakeBelay.new(port: port)
    refute_match(/belay/i, run_puppet(0))
    reports = [@server.came, @server.came].map { |came| JSON.parse(came.body) }
    assert_equal %w[changed unchanged], reports.map { |report| report['status'] }
    assert_equal ['web01.example.com'] * 2, reports.map { |report| report['host'] }
    assert_equal 0, waiting
  end

  def test_without_settings_the_run_says_so_and_is_as_it_would_have_been
    FileUtils.rm_f(@site.at('etc/puppet/belay.yaml'))
    assert_match(/Error: belay: the report of web01.example.com was not kept: .*belay.yaml cannot be read/, run_puppet)
  end
end
