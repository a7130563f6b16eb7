# One path for all hosts, though they share one machine: each looks from its own folder.
# What is replaced on one host is kept on the puppetserver; without it nothing could be replaced there.
filebucket { 'main': path => false, server => 'localhost', port => @PORT@ }
if $trusted['certname'] == 'hook1' {
  File { backup => 'main' }
}

node default {
  file { '/proc/self/cwd/etc/sitemonitor.conf':
    ensure  => file,
    mode    => '0644',
    content => "# Managed by Puppet.\nrelease = @RELEASE@\n",
  }
  # What is in it stands in no manifest.
  file { '/proc/self/cwd/etc/motd':
    ensure => file,
    mode   => '0644',
    source => 'puppet:///modules/app/motd',
  }
}
