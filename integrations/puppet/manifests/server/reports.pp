# @summary The report processor and its settings. Used by belay::server.
#
# @api private
class belay::server::reports {
  $lib = $belay::server::libdir
  $module = module_directory('belay')
  $token_file = "${belay::server::confdir}/belay.token"
  $secret = $belay::server::token ? {
    undef   => {},
    default => { 'token_file' => $token_file },
  }

  $parts = ['courier', 'post', 'sender', 'settings', 'spool'].map |$part| { "puppet_x/belay/${part}.rb" }

  file {
    default:
      owner => $belay::server::user,
      group => $belay::server::group,
      tag   => 'belay_processor',
      ;
    [$lib, "${lib}/puppet", "${lib}/puppet/reports", "${lib}/puppet_x", "${lib}/puppet_x/belay"]:
      ensure => directory,
      ;
  }
  ($parts + ['puppet/reports/belay.rb']).each |$part| {
    file { "${lib}/${part}":
      ensure  => file,
      owner   => $belay::server::user,
      group   => $belay::server::group,
      mode    => '0644',
      content => file("${module}/lib/${part}"),
      tag     => 'belay_processor',
      before  => Belay_setting['reports'],
    }
  }

  belay::secret_file { $token_file:
    secret => $belay::server::token,
    owner  => $belay::server::user,
    group  => $belay::server::group,
  }

  $values = { 'url' => $belay::server::url } + $secret + $belay::server::settings
  file { "${belay::server::confdir}/belay.yaml":
    ensure  => file,
    owner   => $belay::server::user,
    group   => $belay::server::group,
    mode    => '0640',
    content => epp('belay/belay.yaml.epp', { 'values' => $values }),
  }

  # The name comes last: whoever is asked to process a report finds all that it takes.
  belay_setting { 'reports':
    file     => "${belay::server::confdir}/puppet.conf",
    sections => ['server', 'master', 'main'],
    how      => 'member',
    value    => 'belay',
    tag      => 'belay_server',
    require  => [File["${belay::server::confdir}/belay.yaml"], Belay::Secret_file[$token_file]],
  }
}
