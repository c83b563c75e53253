# The places in the home, and what lands there.

# make_folder has mkdir say whether something is there: another run may make the folder
# between two looks.
make_folder() {
	[ -d "$1" ] && return
	case $1 in */*/*) make_folder "${1%/*}" ;; esac
	if trouble=$(mkdir "$1" 2>&1); then
		made=$1$nl$made
	elif [ ! -d "$1" ]; then
		if [ -e "$1" ] || [ -h "$1" ]; then fail not_a_file; fi
		fail "$(cause "$trouble")"
	fi
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
	top=$HOME/.config/ghscoped
	folder=$top/$place
	credential=$folder/credential
	case $credential_path in
	'' | [~]/.config/ghscoped/credential) ;;
	[~]/*) credential=$HOME/${credential_path#??} ;;
	/*) credential=$credential_path ;;
	esac
	gh=${GH_CONFIG_DIR:-${XDG_CONFIG_HOME:-$HOME/.config}/gh}/hosts.yml
}

# look_around finds what former runs have left, and clears away what killed ones have.
look_around() {
	keep_other_host
	find_former
	remember_tokens
	clear_leftovers
}

# usable_fragment FILE: it is a file of settings that a delivery has left.
usable_fragment() { [ ! -h "$1" ] && [ -f "$1" ] && [ -r "$1" ] && owned "$1" && owned "${1%/*}" && [ ! -h "${1%/*}" ]; }

# read_fragment FILE sets address to the GitHub that it is for, found to where its
# credential is, and former_helper where it names the helper of the former release.
read_fragment() {
	address='' found='' former_helper=''
	usable_fragment "$1" || return 0
	while IFS= read -r line; do
		case $line in
		'[credential "'*'"]')
			[ -z "$address" ] || break # what follows is the user's own
			address=${line#'[credential "'}
			address=${address%'"]'}
			;;
		"${tab}helper = \"!"*"/git-credential-ghscoped' '/"*"'\"")
			case $line in *"/.config/ghscoped/git-credential-ghscoped' '"*) former_helper=yes ;; esac
			found=${line##*"/git-credential-ghscoped' '"}
			from_git "${found%"'\""}"
			replace "$replaced" "'\\''" "'"
			found=$replaced
			;;
		esac
	done <"$1"
}

# keep_other_host: the former release had the files of one host in $top itself. Where
# that is another host than ours, whose own service has not come by yet, its settings
# get the place that they would have now; the files that they name stay where they are.
# Where it is ours, its files are former ones.
keep_other_host() {
	before_hosts=''
	read_fragment "$top/gitconfig"
	[ -n "$address" ] || return 0
	if [ "$address" = "$protocol://$host" ]; then
		before_hosts=yes
		return
	fi
	replace "${address#*://}" : _
	if [ ! -d "$top/$replaced" ]; then
		attempt mkdir -m 700 "$top/$replaced"
		attempt cp -p "$top/gitconfig" "$top/$replaced/gitconfig"
	fi
}

# find_former sets former to where the latest delivery put the credential, by
# the line that it wrote for git: the deployer may have chosen another place
# since. Without such a line it is where the credential belongs.
find_former() {
	read_fragment "$folder/gitconfig"
	if [ -z "$found" ] && [ -n "$before_hosts" ]; then read_fragment "$top/gitconfig"; fi
	former=${found:-$credential}
}

# drop_former removes the credential from the place where it no longer belongs,
# unless that is the right one under another name.
drop_former() { same_file "$former" "$credential" || drop_credential "$former"; }

# drop_credential FILE removes it, if a credential is what it is: somebody may
# have put a link on the way to it.
drop_credential() {
	[ -d "${1%/*}/" ] || return 0
	go "${1%/*}/"
	set -- "./${1##*/}"
	if [ -h "$1" ] || [ ! -f "$1" ] || [ ! -r "$1" ] || ! owned "$1"; then return; fi
	line=''
	IFS= read -r line <"$1"
	case $line in protocol=*) attempt rm -f "$1" ;; esac
	unset line
}

# reach FOLDER goes into a folder of ours, made where it is not there yet. A link, made
# meanwhile even, does not lead elsewhere: then PWD has another name.
reach() {
	[ ! -h "$1" ] || fail symlink_refused
	make_folder "$1"
	go "$1"
	[ "${PWD##*/}" = "${1##*/}" ] || fail symlink_refused
	owned . || fail foreign_owner
	attempt chmod 700 .
}

# open_folder goes into the new folder in that of the host.
open_folder() {
	reach "$folder"
	case $PWD in */ghscoped/"$place") ;; *) fail symlink_refused ;; esac
	if [ "$credential" = "$folder/${credential##*/}" ]; then enter guarded; else enter plain; fi
}

# wait_for_turn waits until no other run is under way in this home.
wait_for_turn() {
	waited=0 seen=''
	until take_turn; do
		[ "$rivals" = "$seen" ] || waited=0
		seen=$rivals
		pause
		if [ "$waited" -ge 100 ]; then pass_over; fi
	done
	turn=yes
}

# take_turn puts this run's folder for new files into ours, and looks whether it is
# the only one. While it is, no other run changes anything in this home. Of several
# that come at once none sees itself alone; the first by name stays, the others step
# back.
take_turn() {
	reach "$top"
	find_rivals
	if [ -z "$rivals" ] && [ ! -d "$new" ]; then
		entered=$nl$PWD$nl
		if ! trouble=$(mkdir -m 700 "$new" 2>&1); then
			reach "$top" # a removal may just have taken our folder away
			attempt mkdir -m 700 "$new"
		fi
		find_rivals
	fi
	[ -n "$rivals" ] || return 0
	[ "$first" = "$new" ] || rmdir "$new" 2>/dev/null
	return 1
}

find_rivals() {
	rivals='' first=''
	for other in .ghscoped-new.*; do
		if [ -h "$other" ] || [ ! -d "$other" ] || ! owned "$other" || ended "$other"; then continue; fi
		first=${first:-$other}
		[ "$other" = "$new" ] || rivals=$rivals$other$nl
	done
}

# pass_over ends the wait for runs that have not moved for ten seconds: killed in
# another container, or stopped. One that goes on finds its folder gone, and so can
# put nothing in place any more.
pass_over() {
	remember_tokens
	while [ -n "$rivals" ]; do
		discard "${rivals%%"$nl"*}"
		rivals=${rivals#*"$nl"}
	done
	waited=0
}

# drop_folder removes what is ours in the folder of our host.
drop_folder() {
	if [ -h "$folder" ] || [ ! -d "$folder" ]; then return; fi
	go "$folder"
	case $PWD in */ghscoped/"$place") ;; *) return ;; esac
	owned . || return 0
	attempt rm -f gitconfig git-credential-ghscoped
	if [ ! -d credential ]; then attempt rm -f credential; fi
	rmdir "$folder" 2>/dev/null
}

# drop_former_release removes what the former release has left for our host: its
# credential, and the helper, unless the settings of another host still name that.
drop_former_release() {
	if [ -h "$top" ] || [ ! -d "$top" ]; then return; fi
	go "$top"
	if [ "${PWD##*/}" != ghscoped ] || ! owned .; then return; fi
	same_host=''
	if [ ! -h credential ] && [ -f credential ] && [ -r credential ]; then
		while IFS= read -r line; do
			if [ "$line" = "host=$host" ]; then same_host=yes; fi
		done <credential
	fi
	unset line
	if [ -n "$same_host" ]; then drop_credential "$top/credential"; fi
	named=''
	for other in "$top"/*/gitconfig; do
		read_fragment "$other"
		named=$named$former_helper
	done
	if [ -z "$named" ] && [ -f git-credential-ghscoped ]; then attempt rm -f git-credential-ghscoped; fi
}

# drop_top removes what all hosts have in common.
drop_top() {
	if [ -h "$top" ] || [ ! -d "$top" ]; then return; fi
	go "$top"
	if [ "${PWD##*/}" != ghscoped ] || ! owned .; then return; fi
	find_hosts ''
	[ -z "$hosts" ] || return 0
	attempt rm -f gitconfig
	if [ ! -h .gitignore ] && [ -f .gitignore ] && same .gitignore "$ignore"; then attempt rm -f .gitignore; fi
}

# find_hosts PLACE sets hosts to the folders of the hosts that have settings, and to
# PLACE, which is about to have them.
find_hosts() {
	hosts=''
	for other in "$top"/*/; do
		other=${other%/}
		if [ "$other" = "$top/$1" ] || usable_fragment "$other/gitconfig"; then hosts=$hosts${other##*/}$nl; fi
	done
}

# list_text is the file that the user's git configuration includes, and which
# includes that of each host.
list_text() {
	find_hosts "$1"
	text="# Written by your JupyterHub's GitHub connection, which removes it again.$nl"
	while [ -n "$hosts" ]; do
		for_git "${hosts%%"$nl"*}/gitconfig"
		text="${text}[include]$nl${tab}path = $quoted$nl"
		hosts=${hosts#*"$nl"}
	done
}

# listen shows the server's own Hub token, by which the service knows that this is
# the server it means, and reads the credential; a removal gets none, only the end.
listen() {
	complete=''
	say ready "$JUPYTERHUB_API_TOKEN"
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
		case $origin in "file:$folder/gitconfig" | "file:$top/gitconfig") ;; *) return 0 ;; esac
	done <<-END
		$origins
	END
	return 1
}

# read_settings sets entries to what git says of its settings, with an end of line for
# each NUL, and a line at the end that is none of them.
read_settings() {
	entries=$({ cd / && git config --null "$@" | tr '\000' '\n' && echo .; } 2>/dev/null)
}

# own_helpers sets own to the user's helpers for a part of this host: a path, or a
# user name. git asks helpers in the order in which they stand, however exact their
# address is. So our empty one takes them off too, and they are put back behind ours;
# where they count, ours does not. The empty ones come first, for all of them, since
# one may be for a part of another's part.
own_helpers() {
	own='' empty=''
	read_settings --show-origin --get-regexp '^credential\..*\.helper$' || return 0
	while IFS= read -r origin && IFS= read -r key && IFS= read -r value; do
		case $origin in
		"file:$folder/gitconfig") continue ;; # what we have put back before
		file:*) ;;
		*) continue ;; # a variable's comes after ours in any case
		esac
		key=${key#credential.}
		key=${key%.helper}
		part_of_host "$key" || continue
		for_git "$key"
		section="[credential $quoted]$nl${tab}helper ="
		case $nl$empty in *"$nl$section$nl"*) ;; *) empty=$empty$section$nl ;; esac
		own=$own$section
		if [ -n "$value" ]; then
			for_git "$value"
			own="$own $quoted"
		fi
		own=$own$nl
	done <<-END
		$entries
	END
	own=$empty$own
}

# helper_behind: git asks a helper of the user's after ours, and so has it keep each
# token. Our block stands at the end of its file; only where that is not the last one
# that git reads, or for variables, has git to be asked.
helper_behind() {
	if [ -z "${GIT_CONFIG_COUNT-}${GIT_CONFIG_PARAMETERS-}" ] && { [ -n "${GIT_CONFIG_GLOBAL-}" ] || [ ! -e "$HOME/.gitconfig" ] || same_file "$HOME/.gitconfig" "$gitconfig"; }; then return 1; fi
	read_settings --get-regexp '^credential\.(.*\.)?helper$'
	ours='' behind=''
	while IFS= read -r key && IFS= read -r value; do
		key=${key#credential.}
		key=${key%helper}
		case ${key%.} in '' | "$protocol://$host" | "$protocol://$host/") ;; *) continue ;; esac
		case $value in
		'') behind='' ;;
		*git-credential-ghscoped*) ours=yes behind='' ;;
		*) [ -z "$ours" ] || behind=yes ;;
		esac
	done <<-END
		$entries
	END
	[ -n "$behind" ]
}

# erase_copies has git's helpers erase our tokens: git had one of the user's that was set
# behind ours keep each. One that does not end is not waited for longer than five seconds.
erase_copies() {
	command -v git >/dev/null || return 0
	(cd / && GIT_TERMINAL_PROMPT=0 GIT_ASKPASS='' exec git credential reject) >/dev/null <<-END &
		protocol=$protocol
		host=$host
		username=$git_username

	END
	process=$! waited=0
	while kill -0 "$process" && [ "$waited" -lt 50 ]; do pause; done
	kill "$process"
	wait "$process"
} 2>/dev/null

# part_of_host ADDRESS: it is for some of what there is at our host, not for all.
part_of_host() {
	authority=${1#*://}
	authority=${authority%%/*}
	rest=${1#*"$authority"}
	named=${authority%@*}
	[ "$named" != "$authority" ] || named=''
	authority=$(printf '%s' "${1%%://*}://${authority##*@}" | tr '[:upper:]' '[:lower:]')
	case $authority in https://*:443 | http://*:80) authority=${authority%:*} ;; esac
	[ "$authority" = "$protocol://$host" ] && { [ -n "$named" ] || [ -n "${rest#/}" ]; }
}

# fragment_text is the host's settings. The empty helper comes first: it takes every other helper off this host, and so
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
	own_helpers
	text=$text$rewrite_ssh$own
}
