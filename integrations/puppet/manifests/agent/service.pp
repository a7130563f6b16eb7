# @summary The agent's unit, and who starts Puppet. Used by belay::agent.
#
# @api private
class belay::agent::service {
  $units = $belay::agent::unit_dir
  $minutes = $belay::agent::runs_minutes
  # Not all hosts in the same minute.
  $offset = Integer(fqdn_rand($minutes, 'belay'))
  $words = {
    'program'   => $belay::agent::program,
    'puppet'    => $belay::puppet,
    'config'    => "${belay::agent::confdir}/agent.toml",
    'minutes'   => $minutes,
    'offset'    => $offset,
  }

  if $belay::agent::service == 'systemd' {
    belay::unit { 'belay-agent.service':
      folder  => $units,
      content => epp('belay/belay-agent.service.epp', {
        'program'   => $belay::agent::program,
        'config'    => $words['config'],
        'state_dir' => $belay::agent::state_dir,
      }),
    }
    service { 'belay-agent':
      ensure  => running,
      enable  => true,
      require => Belay::Unit['belay-agent.service'],
    }
    Belay::Unit['belay-agent.service'] ~> Service['belay-agent']
  }

  if $belay::agent::runs == 'timer' {
    belay::unit {
      default:
        folder => $units,
        ;
      'belay-puppet.service':
        content => epp('belay/belay-puppet.service.epp', $words),
        ;
      'belay-puppet.timer':
        content => epp('belay/belay-puppet.timer.epp', $words),
        ;
    }
    -> service { 'belay-puppet.timer':
      ensure => running,
      enable => true,
    }
  }

  $cron = $belay::agent::runs ? {
    'cron'  => file,
    default => absent,
  }
  file { "${belay::agent::cron_dir}/belay-puppet":
    ensure  => $cron,
    owner   => $belay::agent::owner,
    group   => $belay::agent::group,
    mode    => '0644',
    content => epp('belay/belay-puppet.cron.epp', $words),
  }
}
