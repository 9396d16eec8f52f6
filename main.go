// Command tftpsql keeps what network devices push by TFTP in an SQL database: a device hears "OK"
// when its configuration is durable, and not before. Without arguments it is the server; README.md
// says the rest.
package main

import "github.com/tftpsql/tftpsql/cli"

// version is set by the linker in releases.
var version = ""

func main() { cli.Main(version) }
