# @summary Puppet's own hook asks the gate. Used by belay::agent.
#
# @api private
class belay::agent::hook {
  if $belay::agent::prerun !~ Undef {
    $wanted = $belay::agent::prerun ? {
      true    => present,
      default => absent,
    }
    belay_setting { 'prerun_command':
      ensure   => $wanted,
      file     => "${belay::confdir}/puppet.conf",
      sections => ['agent', 'main'],
      how      => 'before',
      value    => "${belay::agent::program} --config ${belay::agent::confdir}/agent.toml gate",
    }
  }
}
