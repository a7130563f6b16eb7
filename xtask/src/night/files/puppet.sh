#!/bin/sh
# Puppet as one host has it: its own configuration, and its own folder to look from.
command=$1
shift
cd '@FOLDER@' && exec '@PUPPET@' "$command" --confdir '@FOLDER@/puppet' "$@"
