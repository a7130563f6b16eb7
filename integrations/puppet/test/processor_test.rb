# frozen_string_literal: true

require 'minitest/autorun'
require 'minitest/mock'
require 'tmpdir'
require_relative 'fake'
require_relative '../lib/puppet_x/belay/courier'

Puppet.initialize_settings(['--confdir', '/nonexistent', '--vardir', '/nonexistent'])

# What the report processor does with reports, and with a Belay that is away or in trouble. Most of
# it is played a step at a time: the thread only calls `step` again and again.
class ProcessorTest < Minitest::Test
  include PuppetX::Belay

  def setup
    @folder = Dir.mktmpdir('belay-processor-')
    @server = FakeBelay.new
    @said = []
    Puppet[:confdir] = @folder
    Puppet[:vardir] = File.join(@folder, 'var')
    configure({})
    said = @said
    @sender = PuppetX::Belay::Sender.new(-> { settings }, ->(level, text) { said << [level, text] })
  end

  def teardown
    @server&.stop
    FileUtils.rm_rf(@folder)
  end

  def configure(more)
    form = { 'url' => "http://127.0.0.1:#{@server.port}", 'retry_min' => 1, 'retry_max' => 8 }.merge(more)
    form = form.compact
    # Puppet tells a new file by its time and its size.
    File.write(File.join(@folder, 'belay.yaml'), form.to_yaml + "##{@folder.hash ^ form.hash}\n")
  end

  def settings
    PuppetX::Belay::Settings.load(File.join(@folder, 'belay.yaml'), 'vardir' => Puppet[:vardir])
  end

  def spool
    PuppetX::Belay::Spool.of(settings)
  end

  # As Puppet hands a report over, but without ringing for the thread.
  def keep(report)
    spool.put(PuppetX::Belay::Courier.name_of(report), PuppetX::Belay::Courier.json(report))
  end

  def steps(count)
    Array.new(count) { @sender.step }
  end

  def test_a_report_is_delivered_once_as_puppets_own_json
    report = Reports.one
    keep(report)
    assert_equal 0, @sender.step
    came = @server.came
    assert_equal '/api/v1/runs/puppet', came.path
    assert_equal 'application/json', came.headers['content-type']
    assert_equal report.to_data_hash.to_json, came.body
    assert_equal PuppetX::Belay::Sender::LOOK_S, @sender.step
    assert_empty @server.all
    assert_empty spool.waiting
  end

  def test_the_secret_of_a_file_is_shown_and_read_anew
    token = File.join(@folder, 'token')
    configure('token_file' => token)
    File.write(token, "belay_1\n")
    keep(Reports.one('a'))
    @sender.step
    File.write(token, "belay_2\n")
    keep(Reports.one('b'))
    @sender.step
    assert_equal ['Bearer belay_1', 'Bearer belay_2'], @server.all.map { |came| came.headers['authorization'] }
  end

  def test_while_the_server_is_down_reports_wait_and_come_later_in_their_order
    port = @server.port
    @server.stop
    keep(Reports.one('a'))
    keep(Reports.one('b'))
    waits = steps(4)
    assert_equal 2, spool.waiting.size
    assert_operator waits[0], :<=, 1
    assert_operator waits[3], :>, 2
    assert_equal 1, @said.size, @said.inspect
    assert_match(/reports wait for Belay: 127.0.0.1/, @said[0][1])
    @server = FakeBelay.new(port: port)
    steps(2)
    assert_equal(%w[a b], @server.all.map { |came| JSON.parse(came.body)['transaction_uuid'] })
    assert_equal [:notice, 'Belay takes reports again'], @said.last
    assert_empty spool.waiting
  end

  def test_a_500_is_tried_again_and_does_not_keep_the_others_waiting
    @server.answers.push(500)
    keep(Reports.one('a'))
    keep(Reports.one('b'))
    assert_operator @sender.step, :>, 0
    steps(2)
    assert_equal(%w[a b a], @server.all.map { |came| JSON.parse(came.body)['transaction_uuid'] })
    assert_empty spool.waiting
  end

  def test_behind_all_others_is_also_behind_those_of_the_same_millisecond
    spool.define_singleton_method(:now_ms) { 1_764_378_000_123 }
    spool.put('a', '{}')
    spool.put('b', '{}')
    file, = spool.claim
    assert_match(/-a\.json\z/, file)
    spool.back(file, behind: true)
    assert_equal(%w[b a], spool.waiting.map { |name| name[/-(.*)\.json/, 1] })
  end

  def test_a_503_says_when_to_come_again_and_no_longer_than_we_wait_anyway
    @server.answers.push([503, "Retry-After: 5\r\n"], [503, "Retry-After: 5000\r\n"])
    keep(Reports.one)
    assert_equal [5, 8], steps(2)
    assert_equal 1, spool.waiting.size
  end

  def test_a_400_is_set_aside_and_the_next_one_is_sent
    @server.answers.push(400)
    keep(Reports.one('a'))
    keep(Reports.one('b'))
    assert_equal [0, 0], steps(2)
    assert_equal 2, @server.all.size
    assert_empty spool.waiting
    aside = Dir.children(spool.aside)
    assert_equal 1, aside.size
    assert_equal 'a', JSON.parse(File.read(File.join(spool.aside, aside[0])))['transaction_uuid']
    assert_match(/will not take a report \(400 said\).*aside/, @said.last[1])
  end

  def test_a_run_that_belay_knows_by_another_road_keeps_nobody_waiting
    @server.answers.push(409)
    keep(Reports.one('a'))
    keep(Reports.one('b'))
    assert_equal [0, 0], steps(2)
    assert_equal(%w[a b], @server.all.map { |came| JSON.parse(came.body)['transaction_uuid'] })
    assert_empty spool.waiting
  end

  def test_what_is_set_aside_is_bounded
    configure('aside_files_max' => 2)
    @server.answers.push(*([400] * 4))
    %w[a b c d].each { |uuid| keep(Reports.one(uuid)) }
    steps(4)
    assert_equal %w[c d], Dir.children(spool.aside).sort.map { |file| file[/-(\w)/, 1] }
  end

  def test_a_full_spool_drops_the_oldest_and_says_how_many
    configure('spool_files_max' => 3)
    said = capture { 5.times { |n| take(Reports.one("u#{n}")) } }
    assert_equal(%w[u2 u3 u4], spool.waiting.map { |file| file[/u\d/] })
    assert_includes said.last, '1 of the oldest reports were dropped, 2 since the start'
  end

  def test_a_spool_full_by_bytes_drops_the_oldest
    size = PuppetX::Belay::Courier.json(Reports.one('u0')).bytesize
    configure('spool_bytes_max' => (size * 2.5).to_i)
    4.times { |n| keep(Reports.one("u#{n}")) }
    assert_equal(%w[u2 u3], spool.waiting.map { |file| file[/u\d/] })
  end

  def test_nothing_that_goes_wrong_reaches_the_run
    report = Reports.one
    def report.to_data_hash
      raise 'a bug'
    end
    said = capture { PuppetX::Belay::Courier.take(report) }
    assert_match(/the report of web01.example.com was not kept: RuntimeError: a bug/, said.last)
    FileUtils.rm_f(File.join(@folder, 'belay.yaml'))
    assert_match(/belay.yaml cannot be read/, capture { PuppetX::Belay::Courier.take(Reports.one) }.last)
    File.write(File.join(@folder, 'belay.yaml'), "url: https://x\nspol: /x\n")
    assert_match(/spol: not known; known are url/, capture { PuppetX::Belay::Courier.take(Reports.one) }.last)
  end

  def test_a_spool_that_cannot_be_written_is_said_and_the_run_goes_on
    File.write(File.join(@folder, 'file'), '')
    configure('spool' => File.join(@folder, 'file', 'spool'))
    assert_match(/was not kept: Errno::/, capture { PuppetX::Belay::Courier.take(Reports.one) }.last)
  end

  def test_bytes_that_are_no_text_do_not_cost_the_report
    report = Reports.one('a', log: (+"caf\xE9 \xFF").force_encoding('ASCII-8BIT'))
    keep(report)
    @sender.step
    assert_includes JSON.parse(@server.came.body)['logs'][0]['message'], 'caf'
  end

  def test_a_report_that_is_too_large_is_said
    configure('report_bytes_max' => 1024)
    said = capture { PuppetX::Belay::Courier.take(Reports.one('a', log: 'x' * 2000)) }
    assert_match(/report_bytes_max is 1024: it was not kept/, said.last)
  end

  def test_two_senders_do_not_send_one_report_twice
    one = PuppetX::Belay::Spool.new(settings.spool, files_max: 9, bytes_max: 99_999, aside_max: 1)
    two = PuppetX::Belay::Spool.new(settings.spool, files_max: 9, bytes_max: 99_999, aside_max: 1)
    one.put('a', '{}')
    file, = one.claim
    assert_nil two.claim
    two.recover
    assert_nil two.claim, 'a claim of somebody who is at work was taken away'
    path = Dir.glob("#{settings.spool}/*.json.*")[0]
    File.utime(Time.now, Time.now - PuppetX::Belay::Spool::CLAIM_S - 1, path)
    two.recover
    assert_equal file, two.claim[0]
  end

  def test_many_threads_deliver_every_report_once
    configure('spool_files_max' => 1000)
    sent = Queue.new
    put = Array.new(60) { |n| "u#{n}" }
    put.each { |name| spool.put(name, name) }
    senders = Array.new(4) do
      Thread.new do
        mine = PuppetX::Belay::Spool.new(settings.spool, files_max: 1000, bytes_max: 99_999, aside_max: 1)
        while (file, body = mine.claim)
          sent << body
          mine.done(file)
        end
      end
    end
    senders.each(&:join)
    assert_equal put.sort, Array.new(sent.size) { sent.pop }.sort
  end

  def test_the_thread_sends_what_puppet_hands_over
    PuppetX::Belay::Courier.instance_variable_set(:@sender, nil)
    take(Reports.one('by-thread'), ring: true)
    assert_equal 'by-thread', JSON.parse(@server.came.body)['transaction_uuid']
  end

  def test_the_thread_ends_when_it_is_told_to_also_while_it_waits_for_a_server_that_is_away
    @server.stop
    keep(Reports.one)
    @sender.ring
    thread = @sender.instance_variable_get(:@thread)
    Timeout.timeout(60) { Thread.pass until @said.any? }
    @sender.stop
    assert thread.join(60), 'the thread goes on'
    refute thread.alive?
    assert_equal 1, spool.waiting.size
  end

  private

  def take(report, ring: false)
    return PuppetX::Belay::Courier.take(report) if ring

    PuppetX::Belay::Courier.stub(:sender, Silent.new) { PuppetX::Belay::Courier.take(report) }
  end

  # What Puppet logs meanwhile.
  def capture
    said = []
    PuppetX::Belay::Courier.stub(:say, ->(_level, text) { said << text }) { yield }
    said
  end

  # Nobody to ring for.
  class Silent
    def ring; end
  end
end
