"""The only room with SQL: the pool, the tables, migrations, the embedded server, one file an aggregate."""
