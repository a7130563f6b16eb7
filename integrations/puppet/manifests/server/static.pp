# @summary Static catalogs: what lies behind a `source` is said in the catalog. Used by belay::server.
#
# @api private
class belay::server::static {
  $code_id = "${belay::server::code_commands}-id"

  file {
    default:
      ensure => file,
      owner  => 'root',
      group  => $belay::server::group,
      mode   => '0755',
      tag    => 'belay_processor',
      ;
    $code_id:
      content => epp('belay/belay-code-id.sh.epp', { 'environments' => $belay::server::environments }),
      ;
    "${belay::server::code_commands}-content":
      content => epp('belay/belay-code-content.sh.epp', { 'environments' => $belay::server::environments, 'code_id' => $code_id }),
      ;
    # The server reads all that lies in this folder.
    "${belay::server::server_confdir}/conf.d/versioned-code.conf":
      mode    => '0644',
      content => epp('belay/versioned-code.conf.epp', { 'commands' => $belay::server::code_commands }),
      require => File[$code_id, "${belay::server::code_commands}-content"],
      ;
  }
}
