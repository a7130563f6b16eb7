#!/bin/sh
# An ordinary run of one host without a server of Puppet's: with the environment that the classifier names.
environment=$('@AGENT@' --config '@FOLDER@/agent.toml' enc '@HOST@' | sed -n 's/^environment: *//p')
[ -n "$environment" ] || exit 1
exec '@FOLDER@/bin/puppet' apply --detailed-exitcodes --verbose --color=false --environment "$environment" \
  "@LAB@/environments/$environment/manifests/site.pp"
