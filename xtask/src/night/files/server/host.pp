# A host that Puppet's own hook keeps right: the agent, with every place moved into the host's folder.
class { 'belay':
  confdir => '@FOLDER@/puppet',
}
class { 'belay::agent':
  server    => 'http://@BELAY@',
  host      => '@HOST@',
  token     => Sensitive('@TOKEN@'),
  config    => {
    'banner'  => '@FOLDER@/motd',
    'release' => { 'file' => '@FOLDER@/code_version' },
    'facts'   => { 'role' => 'web "1"', 'dc' => 'fra' },
    'log'     => [{
      'name'     => 'puppet',
      'file'     => '@FOLDER@/log/puppet.out',
      'patterns' => { 'refused' => 'belay gate:', 'error' => '\bERROR\b' },
      'every'    => '60s',
    }],
    'revert'  => { 'paths' => ['/proc/self/cwd/etc/*'] },
    'enc'     => { 'environments' => ['r14*'] },
    'tool'    => {
      'name'           => 'puppet',
      'program'        => '@FOLDER@/bin/puppet',
      'lock'           => '@FOLDER@/puppet/state/agent_disabled.lock',
      'rehearsal_lock' => '@FOLDER@/puppet/state/rehearsal.lock',
      'report'         => '@FOLDER@/puppet/state/last_run_report.yaml',
      'summary'        => '@FOLDER@/puppet/public/last_run_summary.yaml',
      'running'        => '@FOLDER@/puppet/state/agent_catalog_run.lock',
      'catalog'        => '@FOLDER@/puppet/var/client_data/catalog/@HOST@.json',
      'backups'        => '@FOLDER@/puppet/var/clientbucket',
      'schedules'      => [],
      'splay'          => '0s',
      'limit'          => '2m',
    },
  },
  install   => 'file',
  source    => '@AGENT@',
  program   => '@FOLDER@/bin/belay-agent',
  confdir   => '@FOLDER@/belay',
  state_dir => '@FOLDER@/belay/state',
  service   => 'none',
  cron_dir  => '@FOLDER@/belay',
  prerun    => true,
}
