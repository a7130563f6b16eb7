# One path for all hosts, though they share one machine: each looks from its own folder. Only so can what was rejected on
# one host be known again on the next, and be restored by its path.
File { backup => 'puppet' }

node default {
  file { '/proc/self/cwd/etc/sitemonitor.conf':
    ensure  => file,
    mode    => '0644',
    content => "# Managed by Puppet.\nrelease = @RELEASE@\nsubmit_url = http://@SITEMONITOR@/@PATH@\nformat = @FORMAT@\n",
    notify  => Service['sitemonitor'],
  }

  service { 'sitemonitor':
    ensure     => running,
    provider   => base,
    start      => '/proc/self/cwd/service start',
    stop       => '/proc/self/cwd/service stop',
    status     => '/proc/self/cwd/service status',
    restart    => '/proc/self/cwd/service restart',
    hasrestart => true,
    hasstatus  => true,
  }
}
