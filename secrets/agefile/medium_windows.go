package agefile

import "golang.org/x/sys/windows"

// errReadOnly is what the system says of a medium that cannot be written.
const errReadOnly = windows.ERROR_WRITE_PROTECT
