# @summary Where this host's Puppet has its files: what the other classes of this module fall back to.
#
# Nothing is managed here. The packages of Puppet itself keep their files in other places than those of Debian.
#
# @param confdir
#   The folder of puppet.conf.
# @param puppet
#   The program.
# @param server_confdir
#   The folder of puppetserver's own settings.
# @param environments
#   The folder of the environments.
# @param server_libdir
#   Where puppetserver looks for code of its own, in every environment alike.
class belay (
  Belay::Path $confdir       = $facts['aio_agent_version'] ? { undef => '/etc/puppet', default => '/etc/puppetlabs/puppet' },
  Belay::Path $puppet        = $facts['aio_agent_version'] ? { undef => '/usr/bin/puppet', default => '/opt/puppetlabs/bin/puppet' },
  Belay::Path $server_confdir = $facts['aio_agent_version'] ? {
    undef   => '/etc/puppet/puppetserver',
    default => '/etc/puppetlabs/puppetserver',
  },
  Belay::Path $environments  = $facts['aio_agent_version'] ? {
    undef   => '/etc/puppet/code/environments',
    default => '/etc/puppetlabs/code/environments',
  },
  Belay::Path $server_libdir = $facts['aio_agent_version'] ? {
    undef   => '/var/lib/puppetserver/lib',
    default => '/opt/puppetlabs/server/data/puppetserver/lib',
  },
) {
}
