# @summary Belay names environments. Used by belay::server.
#
# @api private
class belay::server::classifier {
  file { $belay::server::enc_script:
    ensure  => file,
    owner   => 'root',
    group   => $belay::server::group,
    mode    => '0755',
    content => epp('belay/belay-enc.sh.epp', { 'program' => $belay::server::agent_program, 'config' => $belay::server::agent_config }),
  }

  # Where this module installs the agent too, it answers before it is asked.
  if defined(Class['belay::agent']) {
    Class['belay::agent'] -> File[$belay::server::enc_script]
  }

  belay_setting {
    default:
      file     => "${belay::server::confdir}/puppet.conf",
      sections => ['server', 'master', 'main'],
      tag      => 'belay_server',
      require  => File[$belay::server::enc_script],
      ;
    'external_nodes':
      value      => $belay::server::enc_script,
      instead_of => $belay::server::enc_instead_of,
      ;
    'node_terminus':
      value      => 'exec',
      instead_of => ['plain'],
      require    => Belay_setting['external_nodes'],
      ;
  }
}
