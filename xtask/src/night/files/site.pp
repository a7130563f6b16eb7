node default {
  class { 'sitemonitor':
    folder => $facts['host_folder'],
  }
}
