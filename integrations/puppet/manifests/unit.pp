# @summary A unit of systemd's, which is told of it.
#
# @param folder
#   Where units are.
# @param content
#   What stands in it.
# @param owner
#   Whose the file is.
# @param group
#   The group of the file.
define belay::unit (
  Belay::Path $folder,
  String      $content,
  String[1]   $owner = $belay::agent::owner,
  String[1]   $group = $belay::agent::group,
) {
  file { "${folder}/${title}":
    ensure  => file,
    owner   => $owner,
    group   => $group,
    mode    => '0644',
    content => $content,
  }
  ~> exec { "belay: systemd reads ${title}":
    command     => 'systemctl daemon-reload',
    path        => ['/usr/bin', '/bin'],
    refreshonly => true,
    # In a chroot or a container without systemd there is nobody to tell.
    onlyif      => 'test -d /run/systemd/system',
  }
}
