# Where Belay is: the secret goes into a file of its own, never into the address.
type Belay::Url = Pattern[/\Ahttps?:\/\/[^\s@\/]+\/?\z/]
