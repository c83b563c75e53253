# What runs in the user's server: puts the credential there, or takes it away.
#
# The service puts assignments in front of this text: action (deliver, remove),
# mark_a and mark_b, protocol, host, credential_path, helper, identity_name,
# identity_email, rewrite_ssh, gh_user. The credential itself comes on standard
# input, after this side has switched echo off and said "ready". Each answer is
# one line that begins with both halves of the mark joined; only the halves are
# in this text, so a terminal that echoes it cannot be taken for the answer.
#
# Everything that can fail is first written to temporary files beside the real
# ones; then they are renamed. Killed anywhere, each file is the old or the new.

# Nothing that is read may leave through the environment or a trace.
set +axv
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
folder='' made='' fresh='' fresh_gh='' staged='' doing=home

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
	for file in "$folder/gitconfig" "$folder/git-credential-ghscoped" "$credential" "$gh" \
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
	*) [ "$doing" = home ] && echo write_failed || echo git_config_not_writable ;;
	esac
}

# shellcheck disable=SC3067 # -O is not in POSIX, but in dash, ash, bash, ksh and zsh.
owned() { [ -O "$1" ]; }

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

# write PATH TEXT fills PATH's temporary file; a file that is there already,
# or a link, is not followed.
write() {
	printf '%s' "$2" | (
		set -C
		cat >"$1$new"
	)
}

# stage PATH TEXT prepares PATH to become TEXT, unless it is that already.
stage() {
	[ -f "$1" ] && same "$1" "$2" && return
	attempt write "$1" "$2"
	same "$1$new" "$2" || fail write_failed
}

same() { [ "$(cat "$1" && echo .)" = "$2." ]; }

commit() {
	[ ! -f "$1$new" ] || attempt mv -f "$1$new" "$1"
}

make_folder() {
	[ -d "$1" ] && return
	case $1 in */*/*) make_folder "${1%/*}" ;; esac
	attempt mkdir "$1"
	made=$1$nl$made
}

find_places() {
	case ${HOME:-} in
	/*) ;;
	*) fail home_missing ;;
	esac
	case $HOME in *"$nl"*) fail home_missing ;; esac
	[ -d "$HOME" ] || fail home_missing
	env_gitconfig=${GIT_CONFIG_GLOBAL:-}
	xdg_gitconfig=${XDG_CONFIG_HOME:-$HOME/.config}/git/config
	credential=$HOME/.config/ghscoped/credential
	case $credential_path in
	[~]/*) credential=$HOME/${credential_path#??} ;;
	/*) credential=$credential_path ;;
	esac
	gh=${GH_CONFIG_DIR:-${XDG_CONFIG_HOME:-$HOME/.config}/gh}/hosts.yml
	folder=$HOME/.config/ghscoped
	remember_tokens
	clear_leftovers
}

# usable FILE: a link or somebody else's file there would carry the credential
# to where it does not belong.
usable() {
	[ ! -h "$1" ] || fail symlink_refused
	[ -e "$1" ] || return 0
	owned "$1" || fail foreign_owner
	[ -f "$1" ] || fail not_a_file
}

open_folder() {
	[ ! -h "$folder" ] || fail symlink_refused
	[ -e "$folder" ] || fresh=yes
	if [ -d "$folder" ]; then
		owned "$folder" || fail foreign_owner
		attempt chmod 700 "$folder"
	fi
	make_folder "$folder"
	make_folder "${credential%/*}"
	usable "$credential"
	usable "$folder/gitconfig"
	usable "$folder/git-credential-ghscoped"
}

# listen reads the credential; a removal gets none, only the end.
listen() {
	complete=''
	say ready
	while IFS= read -r line; do
		case $line in
		username=*) username=${line#*=} ;;
		password=*) password=${line#*=} ;;
		password_expiry_utc=*) expiry=${line#*=} ;;
		"end $mark_a$mark_b")
			complete=yes
			break
			;;
		esac
	done
	unset line
	[ -n "$complete" ] || fail input_cut
}

credential_text() {
	text="protocol=$protocol${nl}host=$host${nl}username=$username${nl}password=$password${nl}password_expiry_utc=$expiry$nl"
}

# has_own KEY: the user has a value for KEY outside what ghscoped wrote. Where
# git is missing or too old to tell, the answer is yes, and nothing is written.
has_own() {
	origins=$(cd / && git config --null --show-origin --get-all "$1" 2>/dev/null | tr '\000' '\n') || return 0
	git config --null --show-origin --list >/dev/null 2>&1 || return 0
	while IFS= read -r origin && IFS= read -r _; do
		[ "$origin" = "file:$folder/gitconfig" ] || return 0
	done <<-END
		$origins
	END
	return 1
}

# fragment_text is the file that the user's git configuration includes. The
# empty helper comes first: it takes every other helper off this host, and so
# none of them is given a copy to keep.
fragment_text() {
	for_sh "$shell"
	command=!$quoted
	for_sh "$folder/git-credential-ghscoped"
	command="$command $quoted"
	for_sh "$credential"
	for_git "$command $quoted"
	text="# Written by your JupyterHub's GitHub connection, which removes it again.$nl"
	text="${text}[credential \"$protocol://$host\"]$nl${tab}helper =$nl${tab}helper = $quoted$nl"
	if [ -n "$identity_name" ] && ! has_own user.name; then
		text="${text}[user]$nl${tab}name = $identity_name$nl"
	fi
	if [ -n "$identity_email" ] && ! has_own user.email; then
		text="${text}[user]$nl${tab}email = $identity_email$nl"
	fi
	if [ -n "$rewrite_ssh" ]; then
		text="${text}[url \"$protocol://$host/\"]$nl${tab}insteadOf = git@${host%:*}:$nl${tab}insteadOf = ssh://git@${host%:*}/$nl"
	fi
}

# gh_text is the gh command's list of accounts, in both of its layouts.
gh_text() {
	text="# Written by your JupyterHub's GitHub connection, which removes it again.$nl"
	text="$text$host:$nl    users:$nl        \"$gh_user\":$nl            oauth_token: $password$nl"
	text="$text    git_protocol: https$nl    oauth_token: $password$nl    user: \"$gh_user\"$nl"
}

# remember_tokens sets known to the tokens that deliveries have put here, those
# of a delivery that was killed included.
remember_tokens() {
	known=$nl
	for file in "$credential" "$credential".ghscoped-new.*; do
		if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
		while IFS= read -r line; do
			case $line in password=?*) known=$known${line#*=}$nl ;; esac
		done <"$file"
	done
}

# gh_is_ours: each token in gh's list is one that was delivered. gh may have
# rearranged the list; one with a token of the user's own is left alone.
gh_is_ours() {
	if [ -h "$gh" ] || [ ! -f "$gh" ] || ! owned "$gh"; then return 1; fi
	found=''
	while IFS= read -r line; do
		case $line in
		*oauth_token:*)
			case $known in
			*"$nl${line##*oauth_token: }$nl"*) found=yes ;;
			*) return 1 ;;
			esac
			;;
		esac
	done <"$gh"
	[ -n "$found" ]
}

stage_gh() {
	if [ -e "$gh" ] || [ -h "$gh" ]; then
		gh_is_ours || return 0
	else
		fresh_gh=yes
		make_folder "${gh%/*}"
	fi
	gh_text
	stage "$gh" "$text"
}

drop_gh() {
	if gh_is_ours; then attempt rm -f "$gh"; fi
	[ ! -d "${gh%/*}" ] || rmdir "${gh%/*}"
} 2>/dev/null

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

# read_gitconfig sets text to the file "real" and kept to the same without our
# block; flag says what else has to go with the block.
read_gitconfig() {
	text='' kept='' flag='' inside='' since=''
	[ -e "$real" ] || return 0
	if [ ! -f "$real" ] || [ ! -r "$real" ]; then fail git_config_not_writable; fi
	[ "$(tr -d '\000' <"$real" | wc -c)" -eq "$(wc -c <"$real")" ] || fail git_config_damaged
	text=$(cat "$real" && echo .)
	text=${text%.}
	while IFS= read -r line; do
		keep "$line" "$nl"
	done <"$real"
	if [ -n "$line" ]; then keep "$line" ''; fi
	if [ "$flag" = newline ] && [ -z "$since" ]; then kept=${kept%"$nl"}; fi
}

# keep LINE ENDING adds the line to kept unless it is ours. What the user or
# git put between our lines stays, under a header of its own. inside is "block"
# between our lines, and "kept" there once such a header was written.
keep() {
	case $inside:${1%"$cr"} in
	:'# >>> ghscoped >>>'* | block:'# >>> ghscoped >>>'* | kept:'# >>> ghscoped >>>'*)
		inside=block since=''
		case $1 in
		*"$with_newline"*) flag='newline' ;;
		*"$with_file"*) flag='file' ;;
		esac
		return
		;;
	:*) ;;
	block:"$end" | kept:"$end")
		inside=''
		return
		;;
	'block:[include]' | block:*'path = "'*'/ghscoped/gitconfig"' | kept:*'path = "'*'/ghscoped/gitconfig"') return ;;
	block:'['* | kept:'['*) inside='' ;;
	block:*)
		inside=kept
		kept="${kept}[include]$nl"
		;;
	esac
	kept=$kept$1$2 since=yes
}

# choose_gitconfig sets gitconfig to the file that git itself would write to.
choose_gitconfig() {
	if [ -n "${GIT_CONFIG_GLOBAL+set}" ]; then
		gitconfig=$GIT_CONFIG_GLOBAL
	elif [ -e "$HOME/.gitconfig" ] || [ -h "$HOME/.gitconfig" ] || [ ! -e "$xdg_gitconfig" ]; then
		gitconfig=$HOME/.gitconfig
	else
		gitconfig=$xdg_gitconfig
	fi
	follow "$gitconfig" || fail git_config_not_writable
	case $real in
	/*) ;;
	*) fail git_config_not_writable ;;
	esac
	gitconfig=$real
}

# stage_gitconfig TEXT prepares "real" to become TEXT, its mode kept.
stage_gitconfig() {
	if [ -e "$real" ]; then
		owned "$real" || fail git_config_not_writable
		attempt cp -p "$real" "$real$new"
	else
		umask "$user_umask"
		attempt write "$real" ''
		umask 077
	fi
	attempt overwrite "$real$new" "$1"
	same "$real$new" "$1" || fail write_failed
}

overwrite() { printf '%s' "$2" | cat >"$1"; }

add_block() {
	doing=git
	real=$gitconfig
	read_gitconfig
	note='' ending=''
	if [ ! -e "$real" ] || { [ "$flag" = file ] && [ -z "$kept" ]; }; then
		note=$with_file
	elif [ -n "$kept" ] && [ "${kept%"$nl"}" = "$kept" ]; then
		note=$with_newline ending=$nl
	fi
	for_git "$folder/gitconfig"
	wanted="$kept$ending$begin$note${nl}[include]$nl${tab}path = $quoted$nl$end$nl"
	if [ "$wanted" != "$text" ]; then
		before=$text
		stage_gitconfig "$wanted"
		staged=yes
	fi
	doing=home
}

# drop_block takes our block out of "real"; a file made for it goes whole.
drop_block() {
	[ -e "$real" ] || return 0
	read_gitconfig
	[ "$kept" != "$text" ] || return 0
	if [ -z "$kept" ] && [ "$flag" = file ]; then
		attempt rm -f "$real"
		return
	fi
	stage_gitconfig "$kept"
	attempt mv -f "$real$new" "$real"
}

# drop_blocks KEEP takes our block out of every file git reads, KEEP excepted.
drop_blocks() {
	doing=git
	for file in "$HOME/.gitconfig" "$xdg_gitconfig" "$env_gitconfig"; do
		if [ -n "$file" ] && follow "$file" && [ "$real" != "$1" ]; then drop_block; fi
	done
	doing=home
}

deliver() {
	find_places
	choose_gitconfig
	open_folder
	stage "$folder/git-credential-ghscoped" "$helper"
	fragment_text
	stage "$folder/gitconfig" "$text"
	credential_text
	stage "$credential" "$text"
	if [ -f "$credential$new" ]; then
		case $(ls -ld "$credential$new") in
		-rw-------*) ;;
		*) fail not_private ;;
		esac
	fi
	if [ -n "$gh_user" ]; then stage_gh; else drop_gh; fi
	add_block
	commit "$gh"
	commit "$folder/git-credential-ghscoped"
	commit "$folder/gitconfig"
	commit "$credential"
	if [ -n "$staged" ]; then
		doing=git
		if [ -e "$gitconfig" ]; then same "$gitconfig" "$before" || fail git_config_busy; fi
		commit "$gitconfig"
	fi
	fresh='' fresh_gh='' made=''
	drop_blocks "$gitconfig"
}

remove() {
	find_places
	drop_gh
	if [ ! -h "$credential" ]; then attempt rm -f "$credential"; fi
	drop_blocks ''
	attempt rm -f "$folder/gitconfig" "$folder/git-credential-ghscoped"
	[ ! -d "$folder" ] || rmdir "$folder" 2>/dev/null
}

shell=$0
trap 'fail interrupted' HUP INT TERM
if [ -t 0 ]; then
	# A read that waits longer than 20 s ends, so that a script whose service
	# went away does not wait for ever. Without line mode a line may be longer
	# than the 4096 bytes a terminal otherwise takes.
	stty -echo -icanon min 0 time 200 2>/dev/null || fail no_stty
fi
listen
"$action"
say 'done'
