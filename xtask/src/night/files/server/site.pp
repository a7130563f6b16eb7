# One path for all hosts, though they share one machine: each looks from its own folder.
node default {
  file { '/proc/self/cwd/etc/sitemonitor.conf':
    ensure  => file,
    mode    => '0644',
    content => "# Managed by Puppet.\nrelease = @RELEASE@\n",
  }
}
