# @summary Belay's part on a puppetserver: the report processor, the classifier, the feed of facts and catalogs.
#
# Needs belay::agent on the same host only for the classifier (`enc => true`), with a `relay_token`.
#
# @example Reports and the classifier
#   class { 'belay::agent':
#     server      => 'https://belay.example.com:7878',
#     ca          => '/var/lib/puppet/ssl/certs/ca.pem',
#     token       => Sensitive(lookup('belay::token')),
#     relay_token => Sensitive(lookup('belay::relay')),
#   }
#   class { 'belay::server':
#     url   => 'https://belay.example.com:7878',
#     token => Sensitive(lookup('belay::relay')),
#     enc   => true,
#   }
#
# @param url
#   Belay's address.
# @param token
#   The secret that speaks for the hosts of this puppetserver. Left out, its certificate speaks.
# @param reports
#   Whether the report processor is installed, and named in `reports` beside those that are there.
# @param settings
#   The rest of belay.yaml: spool, spool_bytes_max, spool_files_max, report_bytes_max, connect_timeout, timeout, ...
# @param enc
#   Whether Belay names environments: `node_terminus = exec` and `external_nodes`.
# @param enc_script
#   Where the classifier's script is.
# @param enc_instead_of
#   The classifier that was there, which Belay's calls and whose answer it alters in nothing but the environment. Name the
#   same in belay::agent's `config`, as `enc: {wrap: [...]}`. Another classifier is never replaced.
# @param facts_and_catalogs
#   `HOST:PORT` of Belay, for sites with PuppetDB: its terminus sends Belay what it sends PuppetDB.
# @param static_catalogs
#   Whether catalogs say what lies behind a `source` in a module: its version is then that of the deployment, and Belay's gate knows it.
# @param code_commands
#   Where the two commands for that are, without `-id` and `-content`.
# @param server_confdir
#   The folder of puppetserver's own settings.
# @param environments
#   The folder of the environments.
# @param user
#   As whom puppetserver runs.
# @param group
#   Its group.
# @param confdir
#   The folder of puppetserver's puppet.conf.
# @param libdir
#   Where the report processor goes: seen by every environment, also by those without this module.
# @param agent_program
#   Where belay-agent is.
# @param agent_config
#   Its configuration.
# @param reload
#   Tells puppetserver to read its settings anew. Empty: somebody else does.
class belay::server (
  Belay::Url              $url,
  Optional[Belay::Secret] $token              = undef,
  Boolean                 $reports            = true,
  Hash[String[1], Scalar] $settings           = {},
  Boolean                 $enc                = false,
  Belay::Path             $enc_script         = '/usr/local/bin/belay-enc',
  Array[String[1]]        $enc_instead_of     = [],
  Optional[Belay::Peer]   $facts_and_catalogs = undef,
  Boolean                 $static_catalogs    = false,
  Belay::Path             $code_commands      = '/usr/local/bin/belay-code',
  Belay::Path             $server_confdir     = $belay::server_confdir,
  Belay::Path             $environments       = $belay::environments,
  String[1]               $user               = 'puppet',
  String[1]               $group              = 'puppet',
  Belay::Path             $confdir            = $belay::confdir,
  Belay::Path             $libdir             = $belay::server_libdir,
  Belay::Path             $agent_program      = '/usr/bin/belay-agent',
  Belay::Path             $agent_config       = '/etc/belay/agent.toml',
  String                  $reload             = 'systemctl reload puppetserver',
) inherits belay {
  if $reports {
    contain belay::server::reports
  }
  if $enc {
    contain belay::server::classifier
  }
  if $static_catalogs {
    contain belay::server::static
  }
  if $facts_and_catalogs !~ Undef {
    contain belay::server::feed
  }

  unless $reload.empty {
    exec { 'belay: puppetserver reads its settings':
      command     => $reload,
      path        => ['/opt/puppetlabs/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'],
      refreshonly => true,
    }
    Belay_setting <| tag == 'belay_server' |> ~> Exec['belay: puppetserver reads its settings']
    File <| tag == 'belay_processor' |> ~> Exec['belay: puppetserver reads its settings']
  }
}
