# The client of the sitemonitor: its configuration for one release, and the service that reads it.
class sitemonitor (
  String $folder,
  String $release = '@RELEASE@',
) {
  # On hosts of their own these would be called by their paths, the same on each; here six hosts share one machine.
  file { 'sitemonitor':
    ensure => directory,
    path   => "${folder}/etc",
    mode   => '0755',
  }

  file { 'sitemonitor.conf':
    ensure  => file,
    path    => "${folder}/etc/sitemonitor.conf",
    mode    => '0644',
    content => epp('sitemonitor/sitemonitor.conf.epp', { 'release' => $release }),
    notify  => Service['sitemonitor'],
  }

  exec { 'record-release':
    command => "/bin/sh -c 'echo ${release} > ${folder}/etc/release'",
    unless  => "/bin/grep -qx ${release} ${folder}/etc/release",
    require => File['sitemonitor'],
  }

  service { 'sitemonitor':
    ensure     => running,
    provider   => base,
    start      => "${folder}/service start",
    stop       => "${folder}/service stop",
    status     => "${folder}/service status",
    restart    => "${folder}/service restart",
    hasrestart => true,
    hasstatus  => true,
  }
}
