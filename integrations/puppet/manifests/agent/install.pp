# @summary Brings the program. Used by belay::agent.
#
# @api private
class belay::agent::install {
  case $belay::agent::install {
    'package': {
      package { $belay::agent::package_name:
        ensure => $belay::agent::package_ensure,
        notify => Class['belay::agent::service'],
      }
    }
    'file': {
      if $belay::agent::source =~ Undef {
        fail("belay::agent: install => 'file' needs source: where the program comes from")
      }
      $sum = $belay::agent::checksum ? {
        undef   => {},
        default => { 'checksum' => 'sha256', 'checksum_value' => $belay::agent::checksum },
      }
      file { $belay::agent::program:
        ensure => file,
        source => $belay::agent::source,
        owner  => $belay::agent::owner,
        group  => $belay::agent::group,
        mode   => '0755',
        # An old program of Belay's is nothing to go back to by itself.
        backup => false,
        notify => Class['belay::agent::service'],
        *      => $sum,
      }
    }
    default: {}
  }
}
