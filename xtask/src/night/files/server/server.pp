# A puppetserver as a site would have it: its own agent, which keeps the policies of the hosts it classifies, and Belay's
# part of the server.
class { 'belay':
  confdir => '@FOLDER@/conf',
}
class { 'belay::agent':
  server      => 'http://@BELAY@',
  host        => '@NAME@',
  token       => Sensitive('@TOKEN@'),
  relay_token => Sensitive('@RELAY@'),
  config      => { 'banner' => '', 'enc' => { 'environments' => ['r*', 'production*', 'inplace'], 'deployments' => '@FOLDER@/code/environments' }, 'tool' => { 'name' => 'puppet', 'report' => '@FOLDER@/none.yaml', 'schedules' => [] } },
  install     => 'file',
  source      => '@AGENT@',
  program     => '@FOLDER@/bin/belay-agent',
  confdir     => '@FOLDER@/belay',
  state_dir   => '@FOLDER@/belay/state',
  service     => 'none',
  cron_dir    => '@FOLDER@/belay',
}
class { 'belay::server':
  url           => 'http://@BELAY@',
  token         => Sensitive('@REPORTS@'),
  settings      => { 'retry_max' => 2 },
  enc           => true,
  static_catalogs => true,
  code_commands => '@FOLDER@/bin/belay-code',
  server_confdir => '@FOLDER@/tk',
  environments  => '@FOLDER@/code/environments',
  enc_script    => '@FOLDER@/bin/belay-enc',
  user          => 'root',
  group         => 'root',
  confdir       => '@FOLDER@/conf',
  libdir        => '@FOLDER@/var/lib',
  agent_program => '@FOLDER@/bin/belay-agent',
  agent_config  => '@FOLDER@/belay/agent.toml',
  facts_and_catalogs => @FEED@,
  reload        => '',
}
