# What runs in the user's server: puts the credential there, or takes it away.
#
# The service puts assignments in front of this text: action (deliver, remove),
# mark_a and mark_b, protocol, host, credential_path, helper, identity_name,
# identity_email, rewrite_ssh, gh_user. The credential itself comes on standard
# input, after this side has switched echo off and said "ready", with the server's
# own Hub token. Each answer is
# one line that begins with both halves of the mark joined; only the halves are
# in this text, so a terminal that echoes it cannot be taken for the answer.
#
# Everything that can fail is first written to temporary files beside the real
# ones; then they are renamed. Killed anywhere, each file is the old or the new.

# Nothing that is read may leave through the environment or a trace.
set +aefuvxC
unset line username password expiry text known
LC_ALL=C
export LC_ALL
user_umask=$(umask)
umask 077

nl='
'
tab='	'
cr=$(printf '\r')
new=.ghscoped-new.$$
begin='# >>> ghscoped >>> added by your JupyterHub, removed when you disconnect GitHub'
with_newline=' (with the newline before it)'
with_file=' (with this file)'
end='# <<< ghscoped <<<'
folder='' made='' fresh='' fresh_gh='' staged=$nl doing=home

say() { printf 'ghscoped %s%s %s\n' "$mark_a" "$mark_b" "$*"; }

# fail CODE undoes what this run began, says why, and ends.
fail() {
	trap '' HUP INT TERM
	clean
	say error "$1"
	exit 1
}

clean() {
	[ -n "$folder" ] || return 0
	clear_leftovers
	if [ -n "$fresh" ]; then rm -f "$folder/gitconfig" "$folder/git-credential-ghscoped" "$credential"; fi
	if [ -n "$fresh_gh" ]; then rm -f "$gh"; fi
	while [ -n "$made" ]; do
		rmdir "${made%%"$nl"*}"
		made=${made#*"$nl"}
	done
} 2>/dev/null

# clear_leftovers removes temporary files, of this run and of killed ones.
clear_leftovers() {
	for file in "$folder/gitconfig" "$folder/git-credential-ghscoped" "$credential" "$former" "$gh" \
		"$HOME/.gitconfig" "$xdg_gitconfig" "$env_gitconfig"; do
		if [ -n "$file" ] && follow "$file"; then sweep "$real".ghscoped-new.*; fi
	done
} 2>/dev/null

sweep() { [ ! -e "$1" ] || rm -f "$@"; }

# attempt COMMAND… runs it and, where it fails, ends with the cause.
attempt() {
	trouble=$("$@" 2>&1) || fail "$(cause "$trouble")"
}

cause() {
	case $1 in
	*"No space left"*) echo disk_full ;;
	*"uota exceeded"*) echo quota ;;
	*"Read-only file system"*) [ "$doing" = home ] && echo read_only_home || echo git_config_not_writable ;;
	*"ermission denied"* | *"not permitted"* | *" busy"*)
		if [ "$doing" != home ]; then
			echo git_config_not_writable
		elif owned "$HOME"; then
			echo permission_denied
		else
			echo home_not_owned
		fi
		;;
	*"o such file"*) [ "$doing" = home ] && echo write_failed || echo git_config_busy ;;
	*) [ "$doing" = home ] && echo write_failed || echo git_config_not_writable ;;
	esac
}

# shellcheck disable=SC3067 # -O is not in POSIX, but in dash, ash, bash, ksh93, mksh and zsh.
owned() { [ -O "$1" ]; }

# shellcheck disable=SC3013 # -ef is in POSIX since 2024, and in those for longer.
same_file() { [ "$1" -ef "$2" ]; }

# replace TEXT OLD NEW sets replaced to TEXT with each OLD changed to NEW.
replace() {
	replaced='' remaining=$1
	while :; do
		case $remaining in
		*"$2"*) ;;
		*) break ;;
		esac
		replaced=$replaced${remaining%%"$2"*}$3
		remaining=${remaining#*"$2"}
	done
	replaced=$replaced$remaining
}

# for_sh sets quoted to $1 as one word of the shell.
for_sh() {
	replace "$1" "'" "'\\''"
	quoted="'$replaced'"
}

# for_git sets quoted to $1 as one value of a git configuration file.
for_git() {
	replace "$1" "\\" "\\\\"
	replace "$replaced" '"' '\"'
	quoted="\"$replaced\""
}

# from_git sets replaced to the value that for_git made $1 of.
from_git() {
	replace "$1" "\\\\" "$nl"
	replace "$replaced" '\"' '"'
	replace "$replaced" "$nl" "\\"
}

# write PATH TEXT fills PATH's temporary file; a file that is there already,
# or a link, is not followed.
write() {
	printf '%s' "$2" | (
		set -C
		cat >"$1$new"
	)
}

# stage PATH TEXT prepares PATH to become TEXT, for its owner alone; where it is
# that already, only its mode may have to change.
stage() {
	if [ -f "$1" ] && same "$1" "$2"; then
		attempt chmod 600 "$1"
		return
	fi
	attempt write "$1" "$2"
	same "$1$new" "$2" || fail write_failed
	staged=$staged$1$nl
}

# private PATH: what stage made of PATH can be read by nobody else.
private() {
	if [ -f "$1$new" ]; then set -- "$1$new"; fi
	case $(ls -ld "$1" 2>/dev/null) in
	-rw-------* | '') ;; # or another delivery has cleared it away, as commit finds
	*) fail not_private ;;
	esac
}

same() { [ "$(cat "$1" 2>/dev/null && echo .)" = "$2." ]; }

# commit PATH puts in place what was staged for PATH, if anything was.
commit() {
	case $staged in *"$nl$1$nl"*) attempt mv -f "$1$new" "$1" ;; esac
}

# follow FILE sets real to what FILE is, through links; git writes there too.
follow() {
	real=$1 hops=0
	while [ -h "$real" ]; do
		link=$(readlink "$real") && hops=$((hops + 1)) && [ "$hops" -lt 20 ] || return 1
		case $link in
		/*) real=$link ;;
		*) real=${real%/*}/$link ;;
		esac
	done
}
