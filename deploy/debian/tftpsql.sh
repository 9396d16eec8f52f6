#!/bin/sh
# The service's settings count for commands too; what is set in the environment goes over them.
file=/etc/tftpsql/tftpsql.env
if [ -r $file ]; then
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in [A-Z]*=*) ;; *) continue ;; esac
		name=${line%%=*} value=${line#*=}
		case $name in *[!A-Z0-9_]*) continue ;; esac
		case $value in \"*\" | \'*\') value=${value#?} value=${value%?} ;; esac
		eval "set=\${$name+set}"
		[ "$set" ] || export "$name=$value"
	done <$file
elif [ -e $file ]; then
	case ${1-} in put | get | version | completion | help | --help | -h) ;;
	*) echo "tftpsql: $file is not for this user, so the defaults count; use sudo" >&2 ;;
	esac
fi
exec /usr/lib/tftpsql/tftpsql "$@"
