# frozen_string_literal: true

require 'puppet'
require 'puppet/reports'
require_relative '../../puppet_x/belay/courier'

Puppet::Reports.register_report(:belay) do
  desc <<-DESC
    Hands every report to Belay, as JSON. It is written to this machine's disk first and sent by a
    thread of its own, again and again until Belay has it: a run neither waits for Belay nor fails
    because of it. Settings: `$confdir/belay.yaml`.
  DESC

  # Never raises, and never waits for the network.
  def process
    PuppetX::Belay::Courier.take(self)
  end
end
