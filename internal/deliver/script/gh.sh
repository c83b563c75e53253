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
	known=$nl
	for file in "$credential" "$credential".ghscoped-new.* "$former" "$former".ghscoped-new.*; do
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
