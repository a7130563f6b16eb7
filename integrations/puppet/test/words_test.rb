# frozen_string_literal: true

require 'minitest/autorun'
require_relative '../lib/puppet_x/belay/words'

# What settings become, and that taking out gives back what was there.
class WordsTest < Minitest::Test
  W = PuppetX::Belay::Words
  GATE = '/usr/bin/belay-agent --config /etc/belay/agent.toml gate'

  def test_a_hook_is_put_behind_the_gate_and_comes_back
    ['/etc/site/hook', '/etc/site/hook --fast a', "cd /etc && git commit -am 'before a run' | logger; true", %q(echo "it's")].each do |hook|
      with = W.with(:before, hook, GATE)
      assert with.start_with?("#{GATE} --then "), with
      assert W.there?(:before, with, GATE)
      assert_equal hook, W.without(:before, with, GATE)
    end
    assert_equal "#{GATE} --then /etc/site/hook", W.with(:before, '/etc/site/hook', GATE)
    assert_equal "#{GATE} --then /bin/sh -c true\\;false", W.with(:before, 'true;false', GATE)
  end

  def test_no_hook_is_the_gate_alone
    assert_equal [GATE, GATE], [W.with(:before, nil, GATE), W.with(:before, ' ', GATE)]
    assert_nil W.without(:before, GATE, GATE)
    refute W.there?(:before, '/etc/site/hook', GATE)
    refute W.there?(:before, nil, GATE)
  end

  def test_a_member_comes_beside_the_others
    assert_equal 'store, puppetdb, belay', W.with(:member, 'store,puppetdb', 'belay')
    assert_equal 'store, belay', W.with(:member, nil, 'belay', otherwise: 'store')
    assert_equal 'belay', W.with(:member, 'none', 'belay')
    assert_equal 'store', W.without(:member, 'store, belay', 'belay')
    assert_nil W.without(:member, 'belay', 'belay')
    assert W.there?(:member, 'a, belay,b', 'belay')
    refute W.there?(:member, 'belay2', 'belay')
  end

  def test_a_plain_value_is_itself
    assert W.there?(:set, 'exec', 'exec')
    refute W.there?(:set, nil, 'exec')
    assert_equal ['exec', nil], [W.with(:set, 'plain', 'exec'), W.without(:set, 'exec', 'exec')]
  end
end
