# @summary A secret of Belay's in a file of its own.
#
# @param secret
#   The secret; without one nothing is managed.
# @param file
#   The file.
# @param owner
#   Whose it is.
# @param group
#   The group that may read it, where `mode` lets it.
# @param mode
#   Who may read it.
define belay::secret_file (
  Optional[Belay::Secret] $secret = undef,
  Belay::Path             $file   = $title,
  String[1]               $owner  = 'root',
  String[1]               $group  = 'root',
  String[1]               $mode   = '0600',
) {
  if $secret !~ Undef {
    $plain = $secret ? {
      Sensitive => $secret.unwrap,
      default   => $secret,
    }
    file { $file:
      ensure    => file,
      owner     => $owner,
      group     => $group,
      mode      => $mode,
      content   => Sensitive("${plain}\n"),
      show_diff => false,
      backup    => false,
    }
  }
}
