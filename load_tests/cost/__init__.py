"""What a request, a table or an explanation costs, mostly without sockets: CPU time, side by side."""
