SELECT pg_read_file('postmaster.pid')
