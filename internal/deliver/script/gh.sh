# The same token for the gh command, where the deployer wants that.

# gh_text is the gh command's list of accounts, in both of its layouts.
gh_text() {
	text="# Written by your JupyterHub's GitHub connection, which removes it again.$nl"
	text="$text$host:$nl    users:$nl        \"$gh_user\":$nl            oauth_token: $password$nl"
	text="$text    git_protocol: https$nl    oauth_token: $password$nl    user: \"$gh_user\"$nl"
}

# remember_tokens sets known to the tokens that deliveries have put here, those
# of a delivery that was killed included.
remember_tokens() {
	known=${known:-$nl}
	for file in "$credential" "${credential%/*}"/.ghscoped-new.*/ghscoped-new."${credential##*/}" \
		"$former" "${former%/*}"/.ghscoped-new.*/ghscoped-new."${former##*/}" \
		"$top/credential" "$top"/.ghscoped-new.*/ghscoped-new.credential; do
		if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
		while IFS= read -r line; do
			case $line in password=?*) known=$known${line#*=}$nl ;; esac
		done <"$file"
	done
}

# gh_is_ours FILE: each token in gh's list is one that was delivered. gh may have
# rearranged the list; one with a token of the user's own is left alone.
gh_is_ours() {
	if [ -h "$1" ] || [ ! -f "$1" ] || ! owned "$1"; then return 1; fi
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
	done <"$1"
	[ -n "$found" ]
}

stage_gh() {
	make_folder "${gh%/*}"
	go "${gh%/*}"
	if ! owned . || { [ -e hosts.yml ] && ! gh_is_ours ./hosts.yml; } || [ -h hosts.yml ]; then return; fi
	enter private
	gh_text
	stage "$gh" "$text"
}

drop_gh() {
	[ -d "${gh%/*}" ] || return 0
	go "${gh%/*}"
	if gh_is_ours ./hosts.yml; then attempt rm -f hosts.yml; fi
	rmdir "${gh%/*}"
} 2>/dev/null
