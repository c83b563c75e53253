#!/bin/sh
# git-credential-ghscoped FILE OPERATION
#
# The git credential helper that a delivery leaves beside the credential. It
# answers "get" only, only for the protocol and host in FILE, and only until the
# credential has expired. Then, and where FILE is gone because the connection has
# ended, it says where to connect again; to anything else it says nothing. Without an
# answer git goes on as if there were no helper. It needs no program but the shell; "date" is used
# where there is one, and git itself (2.41 and later) minds the expiry too.

# Nothing that is read may leave through the environment or a trace.
set +aefuvxC
unset line username password

# The page to connect at; a delivery fills it in where the service knows it.
page=''

[ "${2-}" = get ] || exit 0
# A printf that is a program would show the password to whoever lists processes.
[ "$(command -v printf)" = printf ] || exit 0

ended() {
	where=${page:-'"Connect GitHub" in the Services menu'}
	printf '%s\n' "Your GitHub connection on this JupyterHub has ended. Connect again: $where" >&2
	# VS Code and RStudio would ask for a password next. They show what git has said.
	case ${VSCODE_GIT_ASKPASS_MAIN:+vscode}${GIT_ASKPASS-} in vscode?* | */rpostback-askpass | rpostback-askpass) printf 'quit=1\n' ;; esac
	exit 0
}
if [ ! -e "$1" ] && [ ! -h "$1" ]; then ended; fi
[ -r "$1" ] || exit 0

protocol='' host=''
while IFS= read -r line && [ -n "$line" ]; do
	case $line in
	protocol=*) protocol=${line#*=} ;;
	host=*) host=${line#*=} ;;
	esac
done

for_protocol='' for_host='' username='' password='' expiry=''
while IFS= read -r line; do
	case $line in
	protocol=*) for_protocol=${line#*=} ;;
	host=*) for_host=${line#*=} ;;
	username=*) username=${line#*=} ;;
	password=*) password=${line#*=} ;;
	password_expiry_utc=*) expiry=${line#*=} ;;
	esac
done <"$1"

[ -n "$password" ] && [ -n "$host" ] || exit 0
[ "$protocol" = "$for_protocol" ] || exit 0

# canonical sets canonical to a host as it stands in FILE: in small letters,
# without a dot at its end and without the port that goes without saying. git
# asks as the address was typed. No name of a host is longer than 253 characters.
canonical() {
	[ "${#1}" -le 300 ] || exit 0
	canonical='' rest=$1 port=''
	case ${rest##*:} in
	"$rest" | *[!0-9]*) ;; # no port
	*) port=${rest##*:} rest=${rest%:*} ;;
	esac
	if [ -n "$port" ]; then
		port=${port#"${port%%[!0]*}"} # zeros in front
		port=${port:-0}
	fi
	case $protocol:$port in https:443 | http:80) port='' ;; esac
	rest=${rest%.}
	capitals=ABCDEFGHIJKLMNOPQRSTUVWXYZ
	pairs=AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz
	while [ -n "$rest" ]; do
		letter=${rest%"${rest#?}"} rest=${rest#?}
		case $capitals in
		*"$letter"*)
			letter=${pairs#*"$letter"}
			letter=${letter%"${letter#?}"}
			;;
		esac
		canonical=$canonical$letter
	done
	canonical=$canonical${port:+:$port}
}
if [ "$host" != "$for_host" ]; then
	canonical "$host"
	[ "$canonical" = "$for_host" ] || exit 0
fi

case $expiry in '' | *[!0-9]*) exit 0 ;; esac

now=$(date +%s 2>/dev/null)
case $now in
'' | *[!0-9]*) ;;
*) if [ "$now" -ge "$expiry" ]; then ended; fi ;;
esac

printf 'username=%s\npassword=%s\npassword_expiry_utc=%s\n' "$username" "$password" "$expiry"
