# @summary Belay's agent on a host: the program, its configuration, its unit, and the gate before runs.
#
# Everything here carries the tag `belay`: `puppet agent -t --tags belay` brings it and nothing else, and Belay's own
# gate lets such a run go, also while the host is held.
#
# @example A host that is watched, and gated by Puppet's own hook
#   class { 'belay::agent':
#     server => 'https://belay.example.com:7878',
#     ca     => '/var/lib/puppet/ssl/certs/ca.pem',
#     token  => Sensitive(lookup('belay::token')),
#     config => { 'release' => { 'file' => '/srv/app/RELEASE' } },
#     prerun => true,
#   }
#
# @param server
#   Belay's address. Without one the agent goes by the policy it has, and keeps reports.
# @param token
#   This host's secret. Left out, the file is somebody else's to bring.
# @param ca
#   The file with the certificate that Belay's chains to; needed with https.
# @param host
#   The name by which Puppet knows this host.
# @param config
#   The rest of agent.toml, as a Hash of its keys: release, facts, tool, scrape, log, revert, enc, banner.
# @param relay_token
#   On a puppetserver: the secret that speaks for the hosts it classifies.
# @param install
#   From a package, from a file (`source`), or not at all.
# @param package_name
#   The package's name.
# @param package_ensure
#   Its version, `installed` or `latest`.
# @param source
#   With `install => 'file'`: where the program comes from, as the source of a file (a path, puppet:///, https://).
# @param checksum
#   The SHA-256 of `source`: over the network the program is not fetched again for every run, and nothing else is taken.
# @param program
#   Where the program is.
# @param confdir
#   The folder of agent.toml.
# @param state_dir
#   Where the agent keeps what has to survive.
# @param service
#   `systemd` writes the unit and keeps it running; `none` leaves starting it to others (`belay-agent run`).
# @param unit_dir
#   Where units are.
# @param prerun
#   Whether `prerun_command` asks the gate. A hook that is there already is put behind the gate, not replaced.
#   `undef` leaves the setting alone; `false` takes the gate out again and puts the old hook back.
# @param runs
#   Who starts Puppet: nobody here (`none`), a timer whose unit skips refused runs (`timer`), or cron behind the gate (`cron`).
# @param runs_minutes
#   With `runs`: every so many minutes.
# @param cron_dir
#   Where files of cron are.
# @param owner
#   Whose the files are.
# @param group
#   The group of the files.
class belay::agent (
  Optional[Belay::Url]            $server         = undef,
  Optional[Belay::Secret]         $token          = undef,
  Optional[Belay::Path]           $ca             = undef,
  String[1]                       $host           = $trusted['certname'],
  Hash[String[1], Data]           $config         = {},
  Optional[Belay::Secret]         $relay_token    = undef,
  Enum['package', 'file', 'none'] $install        = 'package',
  String[1]                       $package_name   = 'belay-agent',
  String[1]                       $package_ensure = 'installed',
  Optional[String[1]]             $source         = undef,
  Optional[Pattern[/\A\h{64}\z/]] $checksum       = undef,
  Belay::Path                     $program        = '/usr/bin/belay-agent',
  Belay::Path                     $confdir        = '/etc/belay',
  Belay::Path                     $state_dir      = '/var/lib/belay-agent',
  Enum['systemd', 'none']         $service        = 'systemd',
  Belay::Path                     $unit_dir       = '/etc/systemd/system',
  Optional[Boolean]               $prerun         = undef,
  Enum['none', 'timer', 'cron']   $runs           = 'none',
  Integer[5, 1440]                $runs_minutes   = 30,
  Belay::Path                     $cron_dir       = '/etc/cron.d',
  String[1]                       $owner          = 'root',
  String[1]                       $group          = 'root',
) inherits belay {
  contain belay::agent::install
  contain belay::agent::config
  contain belay::agent::service
  contain belay::agent::hook

  # The gate is put before runs only when there is a program that answers, with a configuration.
  Class['belay::agent::install']
  -> Class['belay::agent::config']
  ~> Class['belay::agent::service']
  -> Class['belay::agent::hook']
}
