# @summary PuppetDB's terminus sends Belay what it sends PuppetDB. Used by belay::server.
#
# @api private
class belay::server::feed {
  $url = "https://${belay::server::facts_and_catalogs}"

  belay_setting {
    default:
      file     => "${belay::server::confdir}/puppetdb.conf",
      sections => ['main'],
      tag      => 'belay_server',
      ;
    'submit_only_server_urls':
      how   => 'member',
      value => $url,
      ;
    # Without it Belay would get what PuppetDB could not take, and nothing else.
    'command_broadcast':
      value      => 'true',
      instead_of => ['false'],
      ;
    # Belay answers in milliseconds; a network that loses packets must not hold every compile for half a minute.
    'server_url_timeout':
      value      => '2',
      instead_of => ['30'],
      ;
  }
}
