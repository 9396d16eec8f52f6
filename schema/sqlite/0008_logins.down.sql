DROP TABLE host_keys;
DROP TABLE login_keys;
DROP TABLE logins;
