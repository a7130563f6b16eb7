#!/bin/sh
# Names the content of an environment, for `config_version` in environment.conf:
#
#   config_version = 'scripts/config_version.sh $environmentpath $environment'
#
# The name is the commit that r10k deployed (with a hash over its modules' versions), else the commit that is checked
# out, else a hash of all files. The environment's own name is not in it: the same content is the same version.
set -eu
cd "$1/$2"

deployed() {
  [ -f .r10k-deploy.json ] || return 1
  commit=$(sed -n 's/.*"signature": *"\([0-9a-f]\{12\}\).*/\1/p' .r10k-deploy.json)
  [ -n "$commit" ] || return 1
  modules=$(grep -E '"(name|version|sha)":' .r10k-deploy.json | tail -n +2 | sha256sum | cut -c 1-6)
  echo "commit-$commit-modules-$modules"
}

checked_out() {
  [ -e .git ] || return 1
  # The checkout may belong to another user than the one Puppet runs as.
  commit=$(git -c safe.directory='*' rev-parse --short=12 HEAD 2>/dev/null) || return 1
  echo "commit-$commit"
}

hashed() {
  echo "files-$(find . -name .git -prune -o -type f -print | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -c 1-12)"
}

deployed || checked_out || hashed
