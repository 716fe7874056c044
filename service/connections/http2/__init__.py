"""HTTP/2 on zttp: connections as bytes on one side, streams on the other."""
