# A path that begins with a slash.
type Belay::Path = Pattern[/\A\/[^\n]*\z/]
