#!/bin/sh
# After `azd up`: where the app is, and a first question to paste. azd passes its environment's values as variables.
# No key is printed: the lines fetch it.
set -eu

url=$SERVICE_API_URI
question='{"input":"hi"}'
ask="curl -N '$url/chat' -H 'content-type: application/json' -d '$question'"

echo
echo "Deployed: $url"
case "${AUTH_MODE:-function}" in
function)
  echo "The chat page is there, too; it asks for the key. A first question, with the function key:"
  echo
  echo "  KEY=\$(az functionapp keys list --name '$AZURE_FUNCTION_NAME' --resource-group '$AZURE_RESOURCE_GROUP' \\"
  echo "    --query functionKeys.default --output tsv)"
  echo "  $ask -H \"x-functions-key: \$KEY\""
  ;;
keys)
  echo "It takes one of CALLER_KEYS, which are in the vault $AZURE_KEY_VAULT_NAME (infra/README.md, Authentication):"
  echo
  echo "  $ask -H \"authorization: Bearer \$KEY\""
  ;;
entra)
  echo "It takes tokens of Entra for the app registration $AUTH_CLIENT_ID:"
  echo
  echo "  TOKEN=\$(az account get-access-token --resource '$AUTH_CLIENT_ID' --query accessToken --output tsv)"
  echo "  $ask -H \"authorization: Bearer \$TOKEN\""
  ;;
*)
  echo "A first question, which needs no key:"
  echo
  echo "  $ask"
  ;;
esac
echo
echo "Roles may take some minutes to work: until then the answer is 'upstream_identity_refused'. Then: make smoke, make run AZD=1."
