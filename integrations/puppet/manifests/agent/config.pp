# @summary Writes agent.toml and the secrets beside it. Used by belay::agent.
#
# @api private
class belay::agent::config {
  $folder = $belay::agent::confdir
  $token_file = "${folder}/agent.token"
  $relay_file = "${folder}/relay.token"

  if $belay::agent::server =~ Pattern[/\Ahttps:/] and $belay::agent::ca =~ Undef {
    fail('belay::agent: a server with https needs ca, the file with the certificate that the server\'s chains to')
  }
  if $belay::agent::relay_token !~ Undef and $belay::agent::server =~ Undef {
    fail('belay::agent: relay_token needs server: whom to ask for the policies of other hosts')
  }

  $own = {
    'host'      => $belay::agent::host,
    'state_dir' => $belay::agent::state_dir,
  }
  $talks = $belay::agent::server ? {
    undef   => {},
    default => { 'server' => $belay::agent::server, 'token_file' => $token_file },
  }
  $trusts = $belay::agent::ca ? {
    undef   => {},
    default => { 'ca' => $belay::agent::ca },
  }
  $relays = $belay::agent::relay_token ? {
    undef   => {},
    default => { 'relay' => { 'token_file' => $relay_file } },
  }

  file { [$folder, $belay::agent::state_dir]:
    ensure => directory,
    owner  => $belay::agent::owner,
    group  => $belay::agent::group,
    mode   => '0755',
  }

  belay::secret_file {
    default:
      owner => $belay::agent::owner,
      group => $belay::agent::group,
      ;
    $token_file:
      secret => $belay::agent::token,
      ;
    $relay_file:
      secret => $belay::agent::relay_token,
      ;
  }

  # What the program does not understand never takes the place of what it did.
  file { "${folder}/agent.toml":
    ensure       => file,
    owner        => $belay::agent::owner,
    group        => $belay::agent::group,
    mode         => '0644',
    content      => belay::toml($own + $talks + $trusts + $belay::agent::config + $relays),
    validate_cmd => "${belay::agent::program} --config % status --output json",
  }
}
